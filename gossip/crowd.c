#include "gossip/crowd.h"

#include "gossip/clock.h"

#include <stdlib.h>

enum { WIDTH_S = CLOCK_CONFLICT_US / 1000000 };

bool crowd_leads(const struct crowd_vote *a, const struct crowd_vote *b)
{
    return a->has_records != b->has_records ? a->has_records
                                            : uuid_compare(&a->member->uuid, &b->member->uuid) < 0;
}

static int compare(const void *a, const void *b)
{
    const int64_t x = ((const struct crowd_vote *)a)->offset_s;
    const int64_t y = ((const struct crowd_vote *)b)->offset_s;
    return (x > y) - (x < y);
}

static struct crowd_vote lead_of(const struct crowd_vote *votes, uint32_t count)
{
    struct crowd_vote lead = votes[0];
    for (uint32_t i = 1; i < count; i++) {
        if (crowd_leads(&votes[i], &lead)) {
            lead = votes[i];
        }
    }
    return lead;
}

void crowd_largest(struct crowd_vote *votes, uint32_t count, struct crowd_group *ret_group)
{
    *ret_group = (struct crowd_group){.count = 0};
    if (count > 0) {
        qsort(votes, count, sizeof(*votes), compare);
    }
    uint32_t first = 0;
    for (uint32_t end = 1; end <= count; end++) {
        while (votes[end - 1].offset_s - votes[first].offset_s > WIDTH_S) {
            first++;
        }
        /* A group is looked at when no more can join it. */
        const bool is_whole = end == count || votes[end].offset_s - votes[first].offset_s > WIDTH_S;
        if (!is_whole || end - first < ret_group->count) {
            continue;
        }
        const struct crowd_vote lead = lead_of(votes + first, end - first);
        if (end - first > ret_group->count || crowd_leads(&lead, &ret_group->lead)) {
            *ret_group = (struct crowd_group){.count = end - first, .lead = lead};
        }
    }
}
