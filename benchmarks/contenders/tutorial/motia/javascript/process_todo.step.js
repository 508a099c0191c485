// In the background, for every new todo: tell the benchmark that it was processed.
import { appendFile } from 'node:fs/promises'
import { z } from 'zod'

export const config = {
  type: 'event',
  name: 'ProcessTodo',
  subscribes: ['todo.created'],
  emits: [],
  input: z.object({ todoId: z.string() }),
  flows: ['todos'],
}

export const handler = async (input, { state, logger }) => {
  const todo = await state.get('todos', input.todoId)
  logger.info('Processing todo', { todoId: input.todoId, title: todo.title })
  await appendFile(process.env.TODOS_DONE, `${input.todoId}\n`)
}
