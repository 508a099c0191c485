"""Has a condition and a schema: what it is given is skipped, run, or can never be right."""

from pydantic import BaseModel

from motia_django import Context


class Amount(BaseModel):
    amount: float


config = {
    "name": "Choosy",
    "triggers": [
        {
            "type": "queue",
            "topic": "both.amounts",
            "input": Amount,
            "condition": lambda input: input.amount > 10,
        },
    ],
}


def handler(input: Amount, ctx: Context) -> float:
    ctx.logger.info("Large", {"amount": input.amount, "token": "abc"})
    return input.amount
