-- wrk: requests of one kind for a number of keys in turn, `depth` of them at once on each connection.
-- Arguments: method, what stands before the key's number in the path, depth, bytes of a value, keys.
-- Only a PUT carries a value.
local requests = {}
local at = 0
function init(args)
    local method, before, depth = args[1], args[2], tonumber(args[3])
    local bytes, keys = tonumber(args[4]), tonumber(args[5])
    local body = method == "PUT" and string.rep("x", bytes) or nil
    for first = 0, keys - 1, depth do
        local together = {}
        for key = first, first + depth - 1 do
            local path = before .. string.format("%06d", key % keys)
            together[#together + 1] = wrk.format(method, path, nil, body)
        end
        requests[#requests + 1] = table.concat(together)
    end
end
function request()
    at = at % #requests + 1
    return requests[at]
end
