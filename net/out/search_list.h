/*
 * search_list: the names that a name may stand for, by resolv.conf's `search`, `domain` and `ndots`
 * (resolv.conf(5)).
 *
 * A name with `ndots` dots or more is first tried as it is, another one last; one that ends with a
 * dot is tried without it and no other way.
 */
#ifndef NET_OUT_SEARCH_LIST_H
#define NET_OUT_SEARCH_LIST_H

#include <stdbool.h>
#include <stdint.h>

enum {
    SEARCH_NAME_SIZE = 256,
    SEARCH_DOMAINS_MAX = 6, /* as in resolv.conf(5) */
};

struct search_list {
    char domains[SEARCH_DOMAINS_MAX][SEARCH_NAME_SIZE];
    uint32_t count;
    uint32_t ndots;
};

/* Reads the file; one that is not there has no list. */
void search_list_read(struct search_list *l, const char *path);

/* Writes the name's `turn`th form, counted from 0; false when there are no more. One that is too
 * long for a name is empty. */
bool search_list_form(const struct search_list *l, const char *name, uint32_t turn,
                      char ret_form[static SEARCH_NAME_SIZE]);

#endif
