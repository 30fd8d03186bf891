-- pairs.lua: wrk's requests: 64 bytes sent into a pair, 64 received from it, in turn over all pairs.
-- Arguments after --: the token, and a file with two ids a line.
local requests, turn = {}, 0

function init(arguments)
        local headers = { ["Authorization"] = "Bearer " .. arguments[1], ["Content-Type"] = "application/json" }
        local data = string.rep("c29ja3dyaWdodC4u", 5) .. "c29jaw=="
        for line in io.lines(arguments[2]) do
                local from, to = line:match("(%S+) (%S+)")
                table.insert(requests, wrk.format("POST", "/v1/sockets/" .. from .. "/send", headers, '{"data":"' .. data .. '"}'))
                table.insert(requests, wrk.format("POST", "/v1/sockets/" .. to .. "/recv", headers, '{"size":64}'))
        end
end

function request()
        turn = turn % #requests + 1
        return requests[turn]
end
