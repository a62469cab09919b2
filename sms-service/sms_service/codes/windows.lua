-- How the limits count: a log (a sorted set of sends by time) where one key has few sends, and one counter (a hash)
-- per window where it has many. First part of RESERVE and of NOTICE.
local MINUTE, HOUR, DAY = 60000, 3600000, 86400000
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function since(length) return '(' .. string.format('%.0f', now - length) end

local function count(log, length) return redis.call('ZCOUNT', log, since(length), '+inf') end

-- If the window holds `limit` sends or more, the next one must wait until enough of them have left it.
local function wait_of(log, length, limit)
  local over = count(log, length) - limit
  if over < 0 then return 0 end
  return redis.call('ZRANGEBYSCORE', log, since(length), '+inf', 'WITHSCORES', 'LIMIT', over, 1)[2] + length - now
end

-- The counter of this window, or of an earlier one; `rest` is how many ms it has left.
local function window(prefix, length, back)
  local index = math.floor(now / length) - (back or 0)
  local key = prefix .. string.format('%.0f', index)
  return {key = key, rest = (index + 1) * length - now}
end

local function amount(counter, field) return tonumber(redis.call('HGET', counter.key, field) or 0) end

local function charge_log(log, send)
  redis.call('ZREMRANGEBYSCORE', log, '-inf', now - DAY)
  redis.call('ZADD', log, now, send)
  redis.call('PEXPIRE', log, DAY)
end

local function charge_counter(counter, lifetime)
  redis.call('HINCRBY', counter.key, 'sent', 1)
  redis.call('PEXPIRE', counter.key, lifetime)
end
