-- COMMIT: the queue has the job, so its code becomes the valid one.
-- KEYS: job, current code      ARGV: job id
-- Answer: 'committed'; or the state that another step has written; or 'gone'
local job = redis.call('HMGET', KEYS[1], 'state', 'exp')
if not job[1] then return 'gone' end
if job[1] ~= 'pending' then return job[1] end
redis.call('HSET', KEYS[1], 'state', 'accepted')
redis.call('SET', KEYS[2], ARGV[1], 'PXAT', job[2])
return 'committed'
