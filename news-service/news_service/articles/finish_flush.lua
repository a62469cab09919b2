-- KEYS: the views in a flush. ARGV: the field of the flush's id, the id. Deletes the views if they are of that flush.
if redis.call('HGET', KEYS[1], ARGV[1]) == ARGV[2] then
  return redis.call('DEL', KEYS[1])
end
return 0
