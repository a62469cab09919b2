-- Begin the first request with an Idempotency-Key, or return what became of it.
-- KEYS: the key's record      ARGV: digest of the request, token of this try, ms that a try may take
-- Answer: {'begun'}, {'answered', answer}, {'in_flight'} or {'reused'}: the key belongs to another request
local record = redis.call('HMGET', KEYS[1], 'request', 'answer')
if not record[1] then
  redis.call('HSET', KEYS[1], 'request', ARGV[1], 'token', ARGV[2])
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
  return {'begun'}
end
if record[1] ~= ARGV[1] then return {'reused'} end
if record[2] then return {'answered', record[2]} end
return {'in_flight'}
