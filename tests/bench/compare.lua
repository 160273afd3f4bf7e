-- wrk: requests of one kind for 10,000 keys in turn, `depth` of them at once on each connection.
-- Arguments: method, what stands before the key in the path, depth. A PUT carries 100 bytes.
local requests = {}
local at = 0
function init(args)
    local method, before, depth = args[1], args[2], tonumber(args[3])
    local body = method == "PUT" and string.rep("x", 100) or nil
    for first = 0, 9999, depth do
        local together = {}
        for key = first, first + depth - 1 do
            local path = before .. string.format("bench-%06d", key % 10000)
            together[#together + 1] = wrk.format(method, path, nil, body)
        end
        requests[#requests + 1] = table.concat(together)
    end
end
function request()
    at = at % #requests + 1
    return requests[at]
end
