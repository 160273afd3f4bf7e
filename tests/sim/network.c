#include "tests/sim/network.h"

#include "core/mem.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

void network_init(struct network *net, uint64_t seed)
{
    *net = (struct network){.now_us = 1000000};
    rng_init(&net->rng, seed);
}

void network_fini(struct network *net)
{
    for (size_t i = 0; i < net->count; i++) {
        free(net->heap[i].data);
    }
    free(net->heap);
}

static bool is_before(const struct event *a, const struct event *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->age < b->age;
}

static void swap(struct event *a, struct event *b)
{
    const struct event c = *a;
    *a = *b;
    *b = c;
}

void network_at(struct network *net, uint64_t at_us, struct event event)
{
    if (net->count == net->size) {
        net->size = net->size == 0 ? 1024 : 2 * net->size;
        net->heap = mem_resize(net->heap, net->size, sizeof(*net->heap));
    }
    event.at_us = at_us < net->now_us ? net->now_us : at_us;
    event.age = net->age++;
    if (event.len > 0) {
        uint8_t *copy = mem_new(1, event.len);
        memcpy(copy, event.data, event.len);
        event.data = copy;
    } else {
        event.data = NULL;
    }
    size_t i = net->count++;
    net->heap[i] = event;
    while (i > 0 && is_before(&net->heap[i], &net->heap[(i - 1) / 2])) {
        swap(&net->heap[i], &net->heap[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
}

static void sift_down(struct network *net)
{
    size_t i = 0;
    for (;;) {
        size_t least = i;
        for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < net->count; child++) {
            if (is_before(&net->heap[child], &net->heap[least])) {
                least = child;
            }
        }
        if (least == i) {
            return;
        }
        swap(&net->heap[i], &net->heap[least]);
        i = least;
    }
}

bool network_next(struct network *net, uint64_t until_us, struct event *ret_event)
{
    if (net->count == 0 || net->heap[0].at_us > until_us) {
        net->now_us = until_us > net->now_us ? until_us : net->now_us;
        return false;
    }
    *ret_event = net->heap[0];
    net->heap[0] = net->heap[--net->count];
    sift_down(net);
    net->now_us = ret_event->at_us;
    return true;
}

void network_note(struct network *net, const void *data, size_t len)
{
    net->hash = XXH3_64bits_withSeed(data, len, net->hash);
}
