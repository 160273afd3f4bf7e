/*
 * trees_rig: a node of a large enclave with open links to neighbours, and nobody who answers on
 * them, for tests of what goes out along its broadcast trees.
 */
#ifndef TESTS_TREES_RIG_H
#define TESTS_TREES_RIG_H

#include "core/base/mem.h"
#include "gossip/tree_links.h"

#include <stdlib.h>
#include <string.h>

enum { RIG_LINKS = 4, RIG_MEMBERS = 16, RIG_NOW_US = 5 * 1000 * 1000 };

struct trees_rig {
    struct outbox *outbox;
    struct overlay overlay;
    struct engine_counters counters;
    struct tree_links_env env;
    struct link *links[RIG_LINKS];
    struct member members[RIG_LINKS];
};

static inline struct uuid rig_uuid(uint8_t number)
{
    return (struct uuid){{number}};
}

/* Links 0 to RIG_LINKS - 1 are members 2 and up; none is of a ring or of the trees yet. */
static inline void trees_rig_init(struct trees_rig *r, uint8_t members)
{
    const struct uuid self = rig_uuid(1);
    *r = (struct trees_rig){.outbox = outbox_new()};
    overlay_init(&r->overlay, &self, 2);
    for (uint8_t i = 2; i <= members; i++) {
        const struct uuid other = rig_uuid(i);
        (void)overlay_add(&r->overlay, &other);
    }
    r->env = (struct tree_links_env){.mesh = mesh_new(r->outbox),
                                     .tree = tree_new(1),
                                     .overlay = &r->overlay,
                                     .counters = &r->counters,
                                     .now_us = RIG_NOW_US};
    for (int i = 0; i < RIG_LINKS; i++) {
        const struct addr addr = {.port = (uint16_t)(i + 1)};
        const struct member_card card = {.uuid = rig_uuid((uint8_t)(i + 2)), .name = "n"};
        member_set_card(&r->members[i], &card);
        r->members[i].state = MEMBER_ALIVE;
        r->members[i].is_mate = true;
        r->links[i] = mesh_add(r->env.mesh, LINK_OPEN, true, &addr, RIG_NOW_US);
        r->links[i]->member = &r->members[i];
        r->members[i].link = r->links[i]->id;
        tree_links_opened(r->links[i]);
    }
}

static inline void trees_rig_fini(struct trees_rig *r)
{
    for (int i = 0; i < RIG_LINKS; i++) {
        member_fini(&r->members[i]);
    }
    mesh_free(r->env.mesh);
    tree_free(r->env.tree);
    overlay_fini(&r->overlay);
    outbox_free(r->outbox);
}

/* The link is of the trees, and eager in this one alone. */
static inline void rig_make_eager(struct trees_rig *r, int i, uint32_t tree)
{
    r->links[i]->trees.is_tree = true;
    tree_links_grafted(r->links[i], tree);
}

/* The type of the first control frame that waits on the link, which goes; 0: none waits. */
static inline uint8_t rig_next_frame(struct trees_rig *r, int i, struct frame_tree *ret_entry)
{
    struct buf *control = &r->links[i]->control;
    *ret_entry = (struct frame_tree){.kind = 0};
    if (control->len == 0) {
        return 0;
    }
    struct cursor c = cursor_reader(buf_data(control), control->len);
    const uint8_t type = cursor_u8(&c);
    (void)cursor_u8(&c);
    const uint32_t len = cursor_u32(&c);
    struct cursor payload = cursor_reader(cursor_bytes(&c, len), len);
    if (type == FRAME_TREE_PRUNE) {
        ret_entry->tree = cursor_u8(&payload);
    } else if (type == FRAME_TREE_HELD) {
        ret_entry->id = cursor_u64(&payload);
    } else {
        frame_tree_read(&payload, ret_entry);
    }
    buf_consume(control, FRAME_HEADER_BYTES + len);
    return type;
}

#endif
