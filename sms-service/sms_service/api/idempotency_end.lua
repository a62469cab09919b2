-- End a try that idempotency_begin.lua began: keep its answer, or free the key. Leave a later try alone.
-- KEYS: the key's record      ARGV: token of the try, answer or empty, ms to keep it
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return end
if ARGV[2] == '' then
  redis.call('DEL', KEYS[1])
else
  redis.call('HDEL', KEYS[1], 'token')
  redis.call('HSET', KEYS[1], 'answer', ARGV[2])
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
end
