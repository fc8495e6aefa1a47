-- Counts one attempt against several subjects, all or none; the rule of limit.rs, atomically, for all members.
-- KEYS: the subjects' keys, then the key that exempts. ARGV: for each subject burst, forget, first wait, longest wait
-- (milliseconds) and 1 if it can be exempt. Returns the wait in milliseconds; 0 means counted.
local time = redis.call('time')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local exempt = redis.call('exists', KEYS[#KEYS]) == 1
local wait, counted = 0, {}
for i = 1, #KEYS - 1 do
  local burst, forget, first, longest = unpack(ARGV, i * 5 - 4, i * 5 - 1)
  if not (exempt and ARGV[i * 5] == '1') then
    local state = redis.call('hmget', KEYS[i], 'level', 'at', 'until')
    local blocked = tonumber(state[3] or 0)
    if blocked > now then
      wait = math.max(wait, blocked - now)
    else
      local forgotten = math.max(0, now - tonumber(state[2] or now)) / forget
      local level = math.max(0, tonumber(state[1] or 0) - forgotten) + 1
      local beyond = math.ceil(level - burst)
      blocked = now
      if beyond >= 1 then
        blocked = now + math.min(longest, first * 2 ^ math.min(30, beyond - 1))
      end
      counted[KEYS[i]] = { level, blocked, math.max(level * forget, blocked - now) }
    end
  end
end
if wait > 0 then
  return math.ceil(wait)
end
for key, state in pairs(counted) do
  redis.call('hset', key, 'level', state[1], 'at', now, 'until', state[2])
  redis.call('pexpire', key, math.ceil(state[3]))
end
return 0
