-- CHECK: try one code. Right: used up. Wrong too often: burnt. Both take the pointer away.
-- Digests are compared, not codes: a caller who cannot compute them learns nothing from the time this takes.
-- KEYS: pointer, job      ARGV: job id that the digest was made for, digest, subject, tries per code
-- Answer: {'right'}, {'wrong', tries left}, {'none'}, or {'moved'}: the pointer names another job by now
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return {'moved'} end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local job = redis.call('HMGET', KEYS[2], 'state', 'exp', 'subject', 'code_digest')
local live = {accepted = true, sending = true, sent = true, uncertain = true, retry = true}
if not job[1] or not live[job[1]] or now >= tonumber(job[2]) or job[3] ~= ARGV[3] then return {'none'} end

local left = 0
local is_right = job[4] == ARGV[2]
if not is_right then left = tonumber(ARGV[4]) - redis.call('HINCRBY', KEYS[2], 'tries', 1) end
if is_right or left <= 0 then
  redis.call('DEL', KEYS[1])
  redis.call('HDEL', KEYS[2], 'code_digest')
end
if is_right then return {'right'} end
return {'wrong', left}
