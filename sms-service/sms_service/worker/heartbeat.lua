-- HEARTBEAT: a worker says that it is alive. In the same step it removes from the log of waiting requests what cannot
-- be waiting any more, and turns the kill switch on again if Redis has lost that it was on. So no API accepts a request
-- between a loss and the return of the switch: with its data Redis loses the heartbeats too.
-- KEYS: workers, requests that no worker has claimed, kill switch, when the kill switch was last changed, data
-- ARGV: worker, ms for which it counts as alive, ms of a code's life, ms after which a request that an idle worker does
--       not find on the queue is lost ('' if this worker is not idle), since when Redis held data when this worker
--       last looked ('' if it never did); then, of the kill switch when this worker last saw it on: when it was changed
--       ('' if it was off), reason, since
-- Answer: {'1' if Redis has lost all data since, '1' if the switch was turned on again, since when Redis holds data, when
--         the switch was changed ('' if it is off), reason, since}
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local lifetime = tonumber(ARGV[2])
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', '(' .. (now - lifetime))
redis.call('PEXPIRE', KEYS[1], lifetime)

local oldest_kept = now - tonumber(ARGV[3])
if ARGV[4] ~= '' then oldest_kept = math.max(oldest_kept, now - tonumber(ARGV[4])) end
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', '(' .. oldest_kept)

redis.call('HSETNX', KEYS[5], 'since', string.format('%.0f', now))
local data_since = redis.call('HGET', KEYS[5], 'since')
local was_lost = ARGV[5] ~= '' and ARGV[5] ~= data_since -- In ms, so that a loss within one second shows too.
if was_lost then redis.call('HSET', KEYS[5], 'lost', 1) end

local changed = tonumber(redis.call('GET', KEYS[4]) or 0)
local seen_changed = tonumber(ARGV[6])
local turned_on = false
if seen_changed and seen_changed > changed and redis.call('EXISTS', KEYS[3]) == 0 then
  redis.call('HSET', KEYS[3], 'reason', ARGV[7], 'since', ARGV[8])
  redis.call('SET', KEYS[4], ARGV[6])
  turned_on, changed = true, seen_changed
end
local switch = redis.call('HMGET', KEYS[3], 'reason', 'since')
local is_on = switch[2] and string.format('%.0f', math.max(changed, switch[2] * 1000)) or ''
return {was_lost and '1' or '', turned_on and '1' or '', data_since, is_on, switch[1] or '', switch[2] or ''}
