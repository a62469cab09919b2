-- The limits of a request. They are checked and nothing is changed; `refused` is the limit with the longest wait.
-- Third part of RESERVE; reserve.lua explains the keys and the arguments.
local retry = limits.pumping_retry_seconds * 1000
local minute = window(request.budget_counters .. 'minute:', MINUTE)
local day = window(request.budget_counters .. 'day:', DAY)
local country_day = window(request.country_counters .. 'day:', DAY)

local refused, longest = nil, 0
local function wait_at_least(limit, ms)
  if ms > longest then refused, longest = limit, ms end
end

local function check_mobile()
  wait_at_least('resend_interval', redis.call('PTTL', cooldown))
  wait_at_least('mobile_hour', wait_of(mobile, HOUR, limits.sends_per_mobile_per_hour))
  wait_at_least('mobile_day', wait_of(mobile, DAY, limits.sends_per_mobile_per_day))
end

-- An address may go on while few of its codes stay unused, or if it is trusted and not too many codes are open; so the
-- shortest of its waits counts. The open codes of a trusted address are not unused yet.
local function check_address()
  if count(address, DAY) < math.min(limits.sends_per_ip_per_hour, limits.sends_per_ip_per_day) then return end
  local earned = earned_by(address, unverified)
  local share = math.floor(earned.used * limits.unverified_percent / 100)
  if earned.trust <= 0 or earned.lost >= math.max(limits.sends_per_ip_per_day, share) then
    wait_at_least('ip_day', wait_of(unverified, DAY, math.max(limits.sends_per_ip_per_day, share)))
  end
  if earned.trust > 0 and earned.open < limits.sends_per_ip_per_hour + earned.bonus then return end
  local unused_allowed = math.floor(math.max(limits.sends_per_ip_per_hour / 2, share / 6))
  local until_fewer = wait_of(address, HOUR, limits.sends_per_ip_per_hour)
  local wait = math.min(until_fewer, wait_of(unverified, HOUR, unused_allowed + 1))
  if earned.lost == 0 and earned.open > 0 then wait = math.min(wait, retry) end -- They may be used by then.
  wait_at_least('ip_hour', wait)
end

local function country_of(send) return string.match(send, '%u*$') end

-- Another country counts until the address's last text to it is a day old, or a code of the address was right there.
local function check_countries_of_address()
  if #limits.countries <= limits.countries_per_ip_per_day then return end
  local last, is_unverified, others = {}, {}, {}
  local sends = redis.call('ZRANGEBYSCORE', unverified, since(DAY), '+inf', 'WITHSCORES')
  for i = 1, #sends, 2 do
    last[country_of(sends[i])], is_unverified[sends[i]] = tonumber(sends[i + 1]), true
  end
  for _, send in ipairs(redis.call('ZRANGEBYSCORE', address, since(DAY), '+inf')) do
    if not is_unverified[send] then last[country_of(send)] = nil end
  end
  last[request.country] = nil
  for _, at in pairs(last) do table.insert(others, at) end
  table.sort(others)
  local over = #others - limits.countries_per_ip_per_day
  if over >= 0 then wait_at_least('ip_countries', others[over + 1] + DAY - now) end
end

-- The last 24 hours of the country, the oldest first; the running hour is the last one.
local hours, country = {}, {sent = 0, verified = 0}
for back = 23, 0, -1 do
  local hour = window(request.country_counters .. 'hour:', HOUR, back)
  local counts = redis.call('HMGET', hour.key, 'sent', 'verified')
  hour.sent, hour.verified = tonumber(counts[1] or 0), tonumber(counts[2] or 0)
  country.sent, country.verified = country.sent + hour.sent, country.verified + hour.verified
  table.insert(hours, hour)
end

-- Unused codes are the sign of SMS pumping (texts to numbers that earn by each text). The home country has no such
-- budget, because strangers could use it up and lock out everybody else; there only trust and the alarm count.
local function check_country()
  if request.is_home then return end
  local share, best = limits.unverified_percent / 100, country.verified
  for back = 0, 13 do
    best = math.max(best, amount(window(request.country_counters .. 'day:', DAY, back), 'verified'))
  end
  local per_day = math.floor(math.max(limits.unverified_per_country_per_day, share * best))
  local over = country.sent - country.verified - per_day
  for _, hour in ipairs(hours) do
    if over < 0 then break end
    over = over - hour.sent + hour.verified
    if over < 0 then wait_at_least('country_day', hour.rest + 23 * HOUR) end
  end
  local running = hours[24]
  local per_hour = math.max(limits.unverified_per_country_per_hour, per_day / 6, share * running.verified)
  if running.sent - running.verified >= math.floor(per_hour) then wait_at_least('country_hour', running.rest) end
end

-- When an alarm begins, newcomers wait a moment: those who ask for several numbers give themselves away meanwhile.
local is_pumping = false
local function check_pumping()
  if not alarm_since then return end
  local hold = alarm_since + limits.pumping_hold_seconds * 1000 - now
  local is_held = hold > 0 and not (by_network.is_trusted or by_block.is_trusted)
  if is_held then wait_at_least('pumping_hold', hold) end
  if not block_fits then wait_at_least('pumping_block', retry) end
  if not network_fits then wait_at_least('pumping_network', retry) end
  is_pumping = is_held or is_stranger
end

-- A part of the budgets is reserved for those who have earned trust, and for fresh numbers from fresh networks.
local function check_budget(limit, counter, sends)
  if is_stranger then sends = math.ceil(sends * (100 - limits.reserved_percent) / 100) end
  if amount(counter, 'sent') >= sends then wait_at_least(limit, counter.rest) end
end

wait_at_least('guesses', (redis.call('HGET', guesses, 'rests_until') or 0) - now)
check_mobile()
check_address()
check_countries_of_address()
wait_at_least('block_hour', wait_of(block, HOUR, limits.sends_per_block_per_hour))
wait_at_least('block_day', wait_of(block, DAY, limits.sends_per_block_per_day))
check_country()
check_pumping()
check_budget('sends_minute', minute, limits.sends_per_minute)
check_budget('sends_day', day, limits.sends_per_day)
if redis.call('EXISTS', kill_switch) == 1 then refused, longest = 'kill_switch', 5 * MINUTE end
