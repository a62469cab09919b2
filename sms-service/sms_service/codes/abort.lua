-- ABORT: the queue may or may not have the job. Unless a worker has claimed it, its code never becomes valid, and all
-- that RESERVE charged is given back. A worker that gets the job later finds the state `aborted` and sends nothing.
-- give_back.lua comes first; the two files are one script.
-- KEYS: job, cooldown, then every log that RESERVE charged      ARGV: job id
-- Answer: 'aborted'; or the state that a worker has written; or 'gone'
local job = redis.call('HMGET', KEYS[1], 'state', 'send', 'minute', 'day')
local state, send = job[1], job[2]
if not state then return 'gone' end
if state ~= 'pending' then return state end
redis.call('HSET', KEYS[1], 'state', 'aborted')
redis.call('HDEL', KEYS[1], 'mobile_sealed', 'code_sealed', 'code_digest')
if redis.call('GET', KEYS[2]) == ARGV[1] then redis.call('DEL', KEYS[2]) end
for i = 3, #KEYS do redis.call('ZREM', KEYS[i], send) end
give_back(KEYS[1])
for i = 3, 4 do
  if redis.call('EXISTS', job[i]) == 1 then redis.call('HINCRBY', job[i], 'sent', -1) end
end
return 'aborted'
