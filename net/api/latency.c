#include "net/api/latency.h"

#include "core/base/assert.h"

const struct latency_bound LATENCY_BOUND[LATENCY_BOUNDS] = {
    {100, "0.0001"},  {250, "0.00025"}, {500, "0.0005"},  {1000, "0.001"},
    {2500, "0.0025"}, {5000, "0.005"},  {10000, "0.01"},  {25000, "0.025"},
    {50000, "0.05"},  {100000, "0.1"},  {250000, "0.25"}, {500000, "0.5"},
    {1000000, "1.0"}, {2500000, "2.5"}, {5000000, "5.0"}, {10000000, "10.0"},
};

void latency_add(struct latency_histogram *h, uint64_t us)
{
    size_t i = 0;
    while (i < LATENCY_BOUNDS && us > LATENCY_BOUND[i].us) {
        i++;
    }
    h->counts[i]++;
    h->sum_us += us;
}

uint64_t latency_count(const struct latency_histogram *h)
{
    uint64_t count = 0;
    for (size_t i = 0; i <= LATENCY_BOUNDS; i++) {
        count += h->counts[i];
    }
    return count;
}

struct latency_histogram *latency_of(struct latency *l, size_t route, enum http_method method)
{
    ASSERT(route < l->route_count && (size_t)method < LATENCY_METHODS);
    return &l->routes[route].by_method[method];
}
