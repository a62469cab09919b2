-- ABORT: the queue may or may not have the job; unless a worker was faster, its code never becomes valid.
-- Gives back what RESERVE charged. A worker that meets the job later finds `aborted` and sends nothing.
-- KEYS: job, cooldown, sends of the mobile, sends of the address      ARGV: job id
-- Answer: 'aborted'; or the state that a worker has brought about; or 'gone'
local state = redis.call('HGET', KEYS[1], 'state')
if not state then return 'gone' end
if state ~= 'pending' then return state end
redis.call('HSET', KEYS[1], 'state', 'aborted')
redis.call('HDEL', KEYS[1], 'mobile_sealed', 'code_sealed', 'code_digest')
if redis.call('GET', KEYS[2]) == ARGV[1] then redis.call('DEL', KEYS[2]) end
redis.call('ZREM', KEYS[3], ARGV[1])
redis.call('ZREM', KEYS[4], ARGV[1])
return 'aborted'
