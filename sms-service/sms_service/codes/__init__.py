"""Who gets a code, and the state of every code and its job in Redis; each step there is one Lua script."""
