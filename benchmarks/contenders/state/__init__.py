"""Operations on state, ours and by hand: with the bare ORM, and with the bare Redis client."""
