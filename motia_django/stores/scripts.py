"""What Redis does in one go, in Lua: a script is atomic, and its keys share one hash tag.

A value is kept as `<version> <milliseconds of its expiry, or 0> <JSON>`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha1


@dataclass(frozen=True, slots=True)
class Script:
    """A Lua script, and the name under which Redis keeps it."""

    text: str
    sha: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "sha", sha1(self.text.encode(), usedforsecurity=False).hexdigest())


HEAD = 2
EACH = 3
WRITE = Script(
    """
-- KEYS: items, index, groups, expiries, outbox. ARGV: group, 'now cause', and for each write
-- key, JSON, 'operation (set, delete, end) expiry (k keeps it) expected version (a: any) watched'
if #ARGV == 5 then  -- the usual case, without what the others need: one that is there and stays
  local expected = string.match(ARGV[5], '^set [0k] (%w+) 0$')
  local raw = expected and redis.call('HGET', KEYS[1], ARGV[3])
  if raw then
    local version = string.match(raw, '^(%d+) 0 ')
    if version and (expected == 'a' or expected == version) then
      redis.call('HSET', KEYS[1], ARGV[3], string.format('%.0f 0 ', version + 1) .. ARGV[4])
      return raw
    end
  end
end

local group = ARGV[1]
local now, cause = string.match(ARGV[2], '^(%d+) (.*)$')
now = tonumber(now)
local writes = {}
for i = 3, #ARGV, 3 do
  local operation, until_, expected, watched = string.match(ARGV[i + 2], '^(%a+) (%w+) (%w+) (%d)$')
  local raw = redis.call('HGET', KEYS[1], ARGV[i])
  local version, expires = '0', '0'
  if raw then version, expires = string.match(raw, '^(%d+) (%d+) ') end
  local ended = expires ~= '0' and tonumber(expires) <= now
  if expected ~= 'a' and expected ~= (ended and '0' or version) then
    return {0, i, raw}
  end
  writes[i] = {operation, until_, watched == '1', raw, version, expires, ended}
end

local function told(watched, key, old, new)
  if not watched then return '' end
  return redis.call('XADD', KEYS[5], '*',
    'g', group, 'k', key, 'o', old or '', 'n', new, 'c', cause)
end

local function remove(key, expires)
  redis.call('HDEL', KEYS[1], key)
  redis.call('ZREM', KEYS[2], key)
  if expires ~= '0' then redis.call('ZREM', KEYS[4], group .. '\\0' .. key) end
  if redis.call('EXISTS', KEYS[1]) == 0 then redis.call('ZREM', KEYS[3], group) end
end

local reply = {1}
for i = 3, #ARGV, 3 do
  local key, text = ARGV[i], ARGV[i + 1]
  local operation, until_, watched, raw, version, expires, ended = unpack(writes[i])
  local end_id, id = '', ''
  if ended then
    remove(key, expires)
    end_id = told(watched, key, raw, '')
    expires = '0'
  end
  local there = raw and not ended
  if operation == 'set' then
    if there then
      version = string.format('%.0f', tonumber(version) + 1)
      if until_ == 'k' then until_ = expires end
    else
      local time = redis.call('TIME')
      version = time[1] .. string.format('%06d', tonumber(time[2]))
      if until_ == 'k' then until_ = '0' end
      redis.call('ZADD', KEYS[2], 0, key)
      redis.call('ZADD', KEYS[3], 0, group)
    end
    redis.call('HSET', KEYS[1], key, version .. ' ' .. until_ .. ' ' .. text)
    if until_ ~= '0' then
      redis.call('ZADD', KEYS[4], until_, group .. '\\0' .. key)
    elseif expires ~= '0' then
      redis.call('ZREM', KEYS[4], group .. '\\0' .. key)
    end
    id = told(watched, key, there and raw, text)
  elseif operation == 'delete' then
    version = '0'
    if there then
      remove(key, expires)
      id = told(watched, key, raw, '')
    end
  elseif not ended and expires == '0' then
    redis.call('ZREM', KEYS[4], group .. '\\0' .. key)
  end
  reply[#reply + 1] = raw
  reply[#reply + 1] = version .. ' ' .. (ended and '1' or '0') .. ' ' .. end_id .. ' ' .. id
end
return reply
"""
)
"""Answers what was there if that is all that there is to say: the item has the next version now.
Else {1} and for each write: what was there, and `version ended end id`, the last two being
the ids in the outbox of its end and of the change; {0, place, what is there} if an item has not the
version that is expected, and then nothing is written."""

PAGE = Script(
    """
-- KEYS: items, index. ARGV: from where, at most how many (-1: all)
local keys = redis.call('ZRANGEBYLEX', KEYS[2], ARGV[1], '+', 'LIMIT', 0, ARGV[2])
if #keys == 0 then return {{}, {}} end
if #keys <= 4000 then return {keys, redis.call('HMGET', KEYS[1], unpack(keys))} end
local values = {}
for first = 1, #keys, 4000 do
  local some = redis.call('HMGET', KEYS[1], unpack(keys, first, math.min(first + 3999, #keys)))
  for i = 1, #some do values[first + i - 1] = some[i] end
end
return {keys, values}
"""
)
"""Answers the keys of a part of a group, in order, and what is kept under them."""

LEFT_OVER = Script(
    """
-- KEYS: outbox. ARGV: milliseconds, at most how many, from which id
local time = redis.call('TIME')
local until_ = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000) - tonumber(ARGV[1])
return redis.call('XRANGE', KEYS[1], ARGV[3], string.format('%.0f', until_), 'COUNT', ARGV[2])
"""
)
"""Answers what has been in the outbox for that long, the oldest first."""
