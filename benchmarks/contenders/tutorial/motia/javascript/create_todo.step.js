// POST /todos for Motia 0.17: store a todo and hand it to the background.
import { randomUUID } from 'node:crypto'
import { z } from 'zod'

export const config = {
  type: 'api',
  name: 'CreateTodo',
  method: 'POST',
  path: '/todos',
  bodySchema: z.object({ title: z.string().min(1), description: z.string().optional() }),
  emits: ['todo.created'],
  flows: ['todos'],
}

export const handler = async (request, { emit, state, logger }) => {
  const { title, description } = request.body
  const todo = {
    id: randomUUID(),
    title,
    description: description ?? '',
    completed: false,
    createdAt: new Date().toISOString(),
  }
  await state.set('todos', todo.id, todo)
  await emit({ topic: 'todo.created', data: { todoId: todo.id } })
  logger.info('Todo created', { id: todo.id, title })
  return { status: 201, body: todo }
}
