-- wrk: 100-byte values under keys of their own, spread over 100,000 a thread.
local thread_count = 0
function setup(thread)
    thread:set("id", thread_count)
    thread_count = thread_count + 1
end
local body = string.rep("x", 100)
local n = 0
function request()
    n = n + 1
    return wrk.format("PUT", "/data/key-" .. id .. "-" .. (n % 100000), nil, body)
end
