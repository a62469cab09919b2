-- Trust: used codes earn it, unused ones lose it. Second part of RESERVE; reserve.lua explains the keys and arguments.
-- An address, its network and a block of numbers are each judged by their codes of the last 24 hours. A code is open
-- until its life ends; if nobody has entered it by then, it is lost. Trust is what was used minus what was lost.
-- Without trust, one code that is open or lost takes all the room; a trusted one may have many open codes.
-- A country's alarm rises with the share of its unused codes. Only during an alarm does missing room refuse.
local job, cooldown, mobile, address, unverified, block, unverified_of_block, network, unverified_of_network, unanswered,
  waiting, guesses, kill_switch, asked_of_block, asked_of_network, alarm = unpack(KEYS)
local request = cjson.decode(ARGV[1])
local limits = request.limits
local code_life, alarm_length = limits.code_ttl_seconds * 1000, limits.pumping_alarm_seconds * 1000

-- What a log of sends has earned. `bonus` is how many codes may be open because of it.
local function earned_by(sends, unverified_log)
  local unused, open = count(unverified_log, DAY), count(unverified_log, code_life)
  local used, lost = count(sends, DAY) - unused, unused - open
  local trust, bonus = used - lost, 0
  if trust > 0 then
    local most = limits.open_codes_at_most + used * limits.unverified_percent / 100
    bonus = math.min(trust * limits.open_codes_per_used_code, most)
  end
  return {used = used, lost = lost, open = open, trust = trust, bonus = bonus}
end

-- One earlier code of the same mobile takes no room from a person who asks again.
local function room_taken(unverified_log)
  local unused = count(unverified_log, DAY)
  if unused == 0 then return 0 end
  for _, send in ipairs(redis.call('ZRANGEBYSCORE', unanswered, since(DAY), '+inf')) do
    if redis.call('ZSCORE', unverified_log, send) then return unused - 1 end
  end
  return unused
end

-- The codes that were sent in this minute and the last one, and the networks that asked for more than their room.
local recent = window(request.country_counters .. 'minute:', MINUTE)
local unused_lately, used_lately, colliding = 0, 0, 0
for _, each in ipairs({recent, window(request.country_counters .. 'minute:', MINUTE, 1)}) do
  local counts = redis.call('HMGET', each.key, 'sent', 'verified', 'colliding')
  local used = tonumber(counts[2] or 0)
  unused_lately, used_lately = unused_lately + tonumber(counts[1] or 0) - used, used_lately + used
  colliding = colliding + tonumber(counts[3] or 0)
end

local alarm_since, alarm_begins = tonumber(redis.call('GET', alarm) or nil), false
local function raise_alarm()
  local bearable = limits.sends_per_minute * limits.pumping_alarm_percent / 100 + used_lately
  if unused_lately + colliding * limits.pumping_codes_per_network <= bearable then return end
  alarm_begins, alarm_since = not alarm_since, alarm_since or now
  redis.call('SET', alarm, string.format('%.0f', alarm_since), 'PX', alarm_length)
end
raise_alarm()

-- During an alarm refused requests are remembered too: a network that asks for two blocks has no room, nor has a block
-- that two networks ask for. But many people may stand behind one address, and no two of them have the same block: so
-- many requests in a row for blocks that had room give a network room for one code more.
local clean, probes = 0, 0
if alarm_since then
  clean = tonumber(redis.call('HGET', asked_of_network, 'clean') or 0)
  probes = math.min(math.floor(clean / limits.pumping_clean_requests), limits.sends_per_ip_per_hour)
end

local function asked_another(asked, partner)
  local first = alarm_since and redis.call('HGET', asked, 'partner')
  return first and first ~= partner
end

local function judge(sends, unverified_log, room)
  local has_room = room_taken(unverified_log) < room
  if has_room and not alarm_since then return {has_room = true} end
  local earned = earned_by(sends, unverified_log)
  if earned.trust <= 0 then return {has_room = has_room} end
  local is_trusted = earned.open < 1 + earned.bonus
  return {has_room = is_trusted, is_trusted = is_trusted}
end

local function judge_network()
  local wide = judge(network, unverified_of_network, 1 + probes)
  if wide.has_room and not alarm_since then return wide end
  local narrow = judge(address, unverified, 1 + probes)
  if narrow.is_trusted then return narrow end
  return {has_room = wide.has_room and narrow.has_room, is_trusted = wide.is_trusted and narrow.has_room}
end

local by_block, by_network = judge(block, unverified_of_block, 1), judge_network()
local block_fits = by_block.is_trusted or by_block.has_room and not asked_another(asked_of_block, network)
local network_fits = by_network.is_trusted
  or by_network.has_room and (probes > 0 or not asked_another(asked_of_network, block))
local is_stranger = not (block_fits and network_fits)

-- A network counts once in a minute, so that one busy address is no alarm.
local function count_collision()
  local this_minute = string.format('%.0f', math.floor(now / MINUTE))
  if redis.call('HGET', asked_of_network, 'minute') == this_minute then return end
  redis.call('HSET', asked_of_network, 'minute', this_minute)
  redis.call('PEXPIRE', asked_of_network, alarm_length)
  redis.call('HINCRBY', recent.key, 'colliding', 1)
  redis.call('PEXPIRE', recent.key, 3 * MINUTE)
end

local function remember_refusal()
  redis.call('HSETNX', asked_of_block, 'partner', network)
  redis.call('HSETNX', asked_of_network, 'partner', block)
  redis.call('HSET', asked_of_network, 'clean', block_fits and clean + 1 or 0)
  redis.call('PEXPIRE', asked_of_block, alarm_length)
  redis.call('PEXPIRE', asked_of_network, alarm_length)
end
