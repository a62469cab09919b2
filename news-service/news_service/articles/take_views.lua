-- KEYS: the counted views, the views in a flush. ARGV: the field of the flush's id, a new id.
-- Starts a flush unless one is unfinished, and returns the views of the flush with its id.
if redis.call('EXISTS', KEYS[2]) == 0 then
  if redis.call('EXISTS', KEYS[1]) == 0 then return {} end
  redis.call('RENAME', KEYS[1], KEYS[2])
  redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
end
return redis.call('HGETALL', KEYS[2])
