#include "core/store/calendar.h"

#include "core/base/assert.h"
#include "core/base/mem.h"
#include "core/base/units.h"

#include <stdlib.h>
#include <string.h>

/* A comparison needs this much time before an epoch that it covers begins to expire. */
enum { COMPARE_LEAD_S = 4, EPOCH_S = EPOCH_MS / 1000 };

/* When more fall into one slot, they wait for its end, unless an observer needs their exact
 * time. */
enum { CROWD_MAX = 64 };

struct epoch {
    struct keytree set; /* of handles */
    struct digest digest;
    struct ledger ledger;
};

struct calendar_page {
    uint64_t group;
    struct digest digest;
    struct ledger ledger;
    struct epoch epochs[EPOCHS_PER_GROUP];
};

void calendar_init(struct calendar *c, const struct entries *entries, uint64_t seed)
{
    *c = (struct calendar){.entries = entries, .seed = seed};
}

static void page_free(struct calendar_page *page)
{
    for (uint32_t i = 0; i < EPOCHS_PER_GROUP; i++) {
        keytree_fini(&page->epochs[i].set);
        ledger_fini(&page->epochs[i].ledger);
    }
    ledger_fini(&page->ledger);
    free(page);
}

void calendar_fini(struct calendar *c)
{
    for (size_t i = 0; i < c->page_count; i++) {
        page_free(c->pages[i]);
    }
    free(c->pages);
    agenda_clear(&c->agendas[0].agenda);
    agenda_clear(&c->agendas[1].agenda);
    calendar_init(c, c->entries, c->seed);
}

void calendar_advance(struct calendar *c, uint64_t now_ms)
{
    const uint64_t now_s = now_ms / 1000;
    if (now_s > c->now_s) {
        c->now_s = now_s;
    }
}

/* The number of the first page with this group or a later one. */
static size_t page_index(const struct calendar *c, uint64_t group)
{
    size_t low = 0;
    size_t high = c->page_count;
    while (low < high) {
        const size_t mid = low + (high - low) / 2;
        if (c->pages[mid]->group < group) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

/* NULL when the group has no page. */
static struct calendar_page *find_page(const struct calendar *c, uint64_t group)
{
    const size_t at = page_index(c, group);
    return at < c->page_count && c->pages[at]->group == group ? c->pages[at] : NULL;
}

static struct calendar_page *make_page(struct calendar *c, uint64_t group)
{
    const size_t at = page_index(c, group);
    if (at < c->page_count && c->pages[at]->group == group) {
        return c->pages[at];
    }
    if (c->page_count == c->page_slots) {
        c->page_slots = c->page_slots == 0 ? 16 : 2 * c->page_slots;
        c->pages = mem_resize(c->pages, c->page_slots, sizeof(struct calendar_page *));
    }
    memmove(&c->pages[at + 1], &c->pages[at],
            (c->page_count - at) * sizeof(struct calendar_page *));
    c->pages[at] = mem_new(1, sizeof(struct calendar_page));
    c->pages[at]->group = group;
    c->page_count++;
    return c->pages[at];
}

static uint64_t epoch_of(const struct entry *e)
{
    return entry_expiry_ms(e) / EPOCH_MS;
}

static uint64_t id_of(const struct calendar *c, const struct entry *e)
{
    const struct record r = entry_record(c->entries, e);
    return record_id(&r, c->seed);
}

static bool is_remembered(const struct calendar *c, uint64_t second)
{
    return second + CUT_SECONDS > c->now_s;
}

static uint64_t horizon_s(const struct calendar *c)
{
    return c->now_s > CUT_SECONDS ? c->now_s - CUT_SECONDS : 0;
}

static void raise_floor(struct calendar *c, uint64_t second)
{
    if (second > c->floor_s) {
        c->floor_s = second;
    }
}

static void book(struct calendar *c, struct calendar_page *page, struct epoch *epoch,
                 uint64_t second, struct digest change)
{
    page->digest.sum += change.sum;
    page->digest.count += change.count;
    epoch->digest.sum += change.sum;
    epoch->digest.count += change.count;
    if (!is_remembered(c, second)) {
        raise_floor(c, second);
        return;
    }
    raise_floor(c, ledger_forget(&page->ledger, horizon_s(c)));
    raise_floor(c, ledger_forget(&epoch->ledger, horizon_s(c)));
    raise_floor(c, ledger_book(&page->ledger, second, change));
    raise_floor(c, ledger_book(&epoch->ledger, second, change));
}

/* The agenda of an epoch that is noted past this handle hears of it. */
static void note(struct calendar *c, uint32_t handle, uint64_t number, const struct entry *e)
{
    struct calendar_agenda *a = &c->agendas[number & 1];
    const bool is_ahead = !a->is_noted && handle > a->noted;
    if (a->is_active && a->epoch == number && !is_ahead) {
        agenda_add(&a->agenda, handle, entry_expiry_ms(e) % EPOCH_MS);
    }
}

void calendar_add(struct calendar *c, uint32_t handle, uint64_t second)
{
    const struct entry *e = entry_at(c->entries, handle);
    const uint64_t number = epoch_of(e);
    struct calendar_page *page = make_page(c, number / EPOCHS_PER_GROUP);
    struct epoch *epoch = &page->epochs[number % EPOCHS_PER_GROUP];
    keytree_insert(&epoch->set, handle);
    c->count++;
    book(c, page, epoch, second, (struct digest){id_of(c, e), 1});
    note(c, handle, number, e);
}

static void take_out(struct calendar *c, uint32_t handle, const struct calendar_mark *before,
                     uint64_t second)
{
    const uint64_t number = before->expiry_ms / EPOCH_MS;
    struct calendar_page *page = find_page(c, number / EPOCHS_PER_GROUP);
    ASSERT(page != NULL);
    struct epoch *epoch = &page->epochs[number % EPOCHS_PER_GROUP];
    keytree_remove(&epoch->set, handle);
    c->count--;
    book(c, page, epoch, second, (struct digest){-before->id, (uint64_t)-1});
}

struct calendar_mark calendar_mark(const struct calendar *c, uint32_t handle)
{
    const struct entry *e = entry_at(c->entries, handle);
    return (struct calendar_mark){entry_expiry_ms(e), id_of(c, e)};
}

void calendar_move(struct calendar *c, uint32_t handle, const struct calendar_mark *before,
                   uint64_t second)
{
    const struct entry *e = entry_at(c->entries, handle);
    const uint64_t number = epoch_of(e);
    if (number != before->expiry_ms / EPOCH_MS) {
        take_out(c, handle, before, second);
        calendar_add(c, handle, second);
        return;
    }
    struct calendar_page *page = find_page(c, number / EPOCHS_PER_GROUP);
    ASSERT(page != NULL);
    book(c, page, &page->epochs[number % EPOCHS_PER_GROUP], second,
         (struct digest){id_of(c, e) - before->id, 0});
    if (entry_expiry_ms(e) != before->expiry_ms) {
        note(c, handle, number, e);
    }
}

void calendar_remove(struct calendar *c, uint32_t handle, uint64_t second)
{
    const struct calendar_mark mark = calendar_mark(c, handle);
    take_out(c, handle, &mark, second);
}

void calendar_set_guard(struct calendar *c, uint32_t handle, uint64_t guard_ms, uint64_t second)
{
    const struct calendar_mark mark = calendar_mark(c, handle);
    entry_set_guard(entry_at(c->entries, handle), guard_ms);
    calendar_move(c, handle, &mark, second);
}

/* ---- What is due ---- */

/* The first epoch at or after `from` that has entries; NULL when there is none. */
static const struct epoch *first_used(const struct calendar *c, uint64_t from, uint64_t *ret_epoch)
{
    for (size_t i = page_index(c, from / EPOCHS_PER_GROUP); i < c->page_count; i++) {
        const struct calendar_page *page = c->pages[i];
        if (page->digest.count == 0) {
            continue;
        }
        const uint64_t base = page->group * EPOCHS_PER_GROUP;
        for (uint32_t j = from > base ? (uint32_t)(from - base) : 0; j < EPOCHS_PER_GROUP; j++) {
            if (page->epochs[j].set.count != 0) {
                *ret_epoch = base + j;
                return &page->epochs[j];
            }
        }
    }
    return NULL;
}

/* The epoch's agenda, its noting begun. */
static struct calendar_agenda *open_agenda(struct calendar *c, uint64_t number)
{
    struct calendar_agenda *a = &c->agendas[number & 1];
    if (!a->is_active || a->epoch != number) {
        agenda_clear(&a->agenda);
        a->epoch = number;
        a->is_active = true;
        a->noted = 0;
        a->is_noted = false;
    }
    return a;
}

/* Notes entries of an epoch in its agenda. Returns one that is due already, 0 when all are noted or
 * the budget ran out. */
static uint32_t note_entries(struct calendar *c, struct calendar_agenda *a,
                             const struct epoch *epoch, uint64_t now_ms, size_t *budget)
{
    if (a->is_noted) {
        return 0;
    }
    struct keytree_cursor cursor;
    for (uint32_t h = keytree_above(&epoch->set, a->noted, &cursor); h != 0;
         h = keytree_next(&epoch->set, &cursor)) {
        if (*budget == 0) {
            return 0;
        }
        const struct entry *e = entry_at(c->entries, h);
        if (entry_expiry_ms(e) <= now_ms) {
            return h; /* it will be gone when the noting goes on */
        }
        agenda_add(&a->agenda, h, entry_expiry_ms(e) % EPOCH_MS);
        a->noted = h;
        (*budget)--;
    }
    a->is_noted = true;
    return 0;
}

/* An entry of the slot that is under way. A crowded slot waits for its end instead: looking through
 * it again and again would cost more than it frees. */
static uint32_t due_in_slot(const struct calendar *c, const struct calendar_agenda *a,
                            uint64_t now_ms)
{
    uint32_t handles[AGENDA_PEEK_MAX];
    const uint32_t count = agenda_peek(&a->agenda, now_ms - a->epoch * EPOCH_MS, handles);
    if (count > CROWD_MAX && !c->is_exact) {
        return 0;
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct entry *e = entry_find(c->entries, handles[i]);
        if (e != NULL && entry_expiry_ms(e) <= now_ms) {
            return handles[i];
        }
    }
    return 0;
}

static uint32_t due_in_epoch(struct calendar *c, struct calendar_agenda *a,
                             const struct epoch *epoch, uint64_t now_ms, size_t *budget)
{
    while (*budget > 0) {
        const uint32_t handle = agenda_take(&a->agenda, now_ms - a->epoch * EPOCH_MS);
        if (handle == 0) {
            const uint32_t noted = note_entries(c, a, epoch, now_ms, budget);
            return noted != 0 || *budget == 0 ? noted : due_in_slot(c, a, now_ms);
        }
        const struct entry *e = entry_find(c->entries, handle);
        if (e != NULL && entry_expiry_ms(e) <= now_ms) {
            return handle;
        }
        (*budget)--;
    }
    return 0;
}

uint32_t calendar_due(struct calendar *c, uint64_t now_ms, size_t *budget)
{
    uint64_t number = 0;
    const uint64_t now_epoch = now_ms / EPOCH_MS;
    const struct epoch *epoch = first_used(c, 0, &number);
    if (epoch == NULL || *budget == 0) {
        return 0;
    }
    if (number < now_epoch) {
        struct keytree_cursor cursor;
        return keytree_above(&epoch->set, 0, &cursor);
    }
    if (number == now_epoch) {
        const uint32_t handle = due_in_epoch(c, open_agenda(c, number), epoch, now_ms, budget);
        if (handle != 0) {
            return handle;
        }
        epoch = first_used(c, number + 1, &number);
    }
    if (epoch != NULL && number == now_epoch + 1 &&
        number * EPOCH_MS - now_ms <= CALENDAR_LEAD_MS) {
        (void)note_entries(c, open_agenda(c, number), epoch, now_ms, budget);
    }
    return 0;
}

/* When the first entry of an agenda comes due, into its epoch. */
static uint64_t due_after_ms(const struct calendar *c, const struct calendar_agenda *a)
{
    const uint64_t end_ms = agenda_due_after_ms(&a->agenda);
    const uint64_t begin_ms = a->epoch * EPOCH_MS;
    uint32_t handles[AGENDA_PEEK_MAX];
    const uint32_t count = c->is_exact ? agenda_peek(&a->agenda, end_ms - 1, handles) : 0;
    uint64_t first_ms = end_ms;
    for (uint32_t i = 0; i < count; i++) {
        const struct entry *e = entry_find(c->entries, handles[i]);
        if (e != NULL && epoch_of(e) == a->epoch && entry_expiry_ms(e) - begin_ms < first_ms) {
            first_ms = entry_expiry_ms(e) - begin_ms;
        }
    }
    return first_ms;
}

uint64_t calendar_deadline(const struct calendar *c)
{
    uint64_t number = 0;
    uint64_t deadline_ms = NEVER;
    const struct epoch *epoch = first_used(c, 0, &number);
    if (epoch == NULL) {
        return deadline_ms;
    }
    const struct calendar_agenda *a = &c->agendas[number & 1];
    if (a->is_active && a->epoch == number && a->is_noted) {
        deadline_ms = number * EPOCH_MS + due_after_ms(c, a);
        const uint64_t noted = number;
        epoch = first_used(c, number + 1, &number);
        a = &c->agendas[number & 1];
        const bool is_noted = a->is_active && a->epoch == number && a->is_noted;
        if (epoch == NULL || number != noted + 1 || is_noted) {
            return deadline_ms;
        }
    }
    const uint64_t begin_ms = number * EPOCH_MS;
    const uint64_t list_ms = begin_ms > CALENDAR_LEAD_MS ? begin_ms - CALENDAR_LEAD_MS : 0;
    return min_u64(list_ms, deadline_ms);
}

/* Whether no entry of its epoch waits to be noted. */
static bool is_noted(const struct calendar *c, const struct calendar_agenda *a)
{
    const struct calendar_page *page = find_page(c, a->epoch / EPOCHS_PER_GROUP);
    return a->is_noted || page == NULL || page->epochs[a->epoch % EPOCHS_PER_GROUP].set.count == 0;
}

void calendar_sweep(struct calendar *c)
{
    for (int i = 0; i < 2; i++) {
        struct calendar_agenda *a = &c->agendas[i];
        if (a->is_active && (a->epoch + 1) * EPOCH_S <= c->now_s && is_noted(c, a)) {
            agenda_clear(&a->agenda);
            a->is_active = false;
        }
    }
    if (c->sweep_at >= c->page_count) {
        c->sweep_at = 0;
        return;
    }
    struct calendar_page *page = c->pages[c->sweep_at];
    raise_floor(c, ledger_forget(&page->ledger, horizon_s(c)));
    for (uint32_t i = 0; i < EPOCHS_PER_GROUP; i++) {
        raise_floor(c, ledger_forget(&page->epochs[i].ledger, horizon_s(c)));
    }
    if (page->digest.count > 0 || page->ledger.count > 0) {
        c->sweep_at++;
        return;
    }
    page_free(page);
    c->page_count--;
    memmove(&c->pages[c->sweep_at], &c->pages[c->sweep_at + 1],
            (c->page_count - c->sweep_at) * sizeof(struct calendar_page *));
}

/* ---- Digests ---- */

uint64_t calendar_first_epoch(uint64_t cut_s)
{
    return cut_s == UINT64_MAX ? 0 : (cut_s + COMPARE_LEAD_S) / EPOCH_S + 1;
}

static struct digest as_of(struct digest total, const struct ledger *ledger, uint64_t cut_s)
{
    const struct digest since = ledger_since(ledger, cut_s);
    return (struct digest){total.sum - since.sum, total.count - since.count};
}

/* A page's digest as of a cut, counting only epochs that the cut compares. */
static struct digest page_as_of(const struct calendar_page *page, uint64_t cut_s)
{
    const uint64_t first = calendar_first_epoch(cut_s);
    const uint64_t base = page->group * EPOCHS_PER_GROUP;
    if (first <= base) {
        return as_of(page->digest, &page->ledger, cut_s);
    }
    struct digest total = {0, 0};
    for (uint64_t i = first - base; i < EPOCHS_PER_GROUP; i++) {
        const struct epoch *epoch = &page->epochs[i];
        const struct digest digest = as_of(epoch->digest, &epoch->ledger, cut_s);
        total.sum += digest.sum;
        total.count += digest.count;
    }
    return total;
}

enum rc calendar_root(const struct calendar *c, uint64_t cut_s, struct digest *ret_root)
{
    if (cut_s < c->floor_s) {
        return RC_RANGE;
    }
    struct digest root = {0, 0};
    for (size_t i = 0; i < c->page_count; i++) {
        const struct digest digest = page_as_of(c->pages[i], cut_s);
        root.sum += digest.sum;
        root.count += digest.count;
    }
    *ret_root = root;
    return RC_OK;
}

enum rc calendar_next_group(const struct calendar *c, uint64_t cut_s, uint64_t *group,
                            struct digest *ret_digest)
{
    for (size_t i = page_index(c, *group); i < c->page_count; i++) {
        const struct digest digest = page_as_of(c->pages[i], cut_s);
        if (digest.count != 0 || digest.sum != 0) {
            *group = c->pages[i]->group;
            *ret_digest = digest;
            return RC_OK;
        }
    }
    return RC_NOT_FOUND;
}

enum rc calendar_next_epoch(const struct calendar *c, uint64_t cut_s, uint64_t *epoch,
                            struct digest *ret_digest)
{
    const uint64_t first = calendar_first_epoch(cut_s);
    const uint64_t from = *epoch > first ? *epoch : first;
    for (size_t i = page_index(c, from / EPOCHS_PER_GROUP); i < c->page_count; i++) {
        const struct calendar_page *page = c->pages[i];
        const uint64_t base = page->group * EPOCHS_PER_GROUP;
        for (uint64_t j = from > base ? from - base : 0; j < EPOCHS_PER_GROUP; j++) {
            const struct digest digest =
                as_of(page->epochs[j].digest, &page->epochs[j].ledger, cut_s);
            if (digest.count != 0 || digest.sum != 0) {
                *epoch = base + j;
                *ret_digest = digest;
                return RC_OK;
            }
        }
    }
    return RC_NOT_FOUND;
}

/* ---- Walks ---- */

enum rc calendar_walk_begin(struct calendar *c, uint64_t epoch, struct store_walk *walk)
{
    if (c->walk_count == STORE_WALKS_MAX) {
        return RC_FULL;
    }
    *walk = (struct store_walk){.epoch = epoch, .is_open = true};
    c->walk_count++;
    return RC_OK;
}

uint32_t calendar_walk_next(const struct calendar *c, struct store_walk *walk)
{
    ASSERT(walk->is_open);
    const struct calendar_page *page = find_page(c, walk->epoch / EPOCHS_PER_GROUP);
    if (page == NULL) {
        return 0;
    }
    struct keytree_cursor cursor;
    const struct keytree *set = &page->epochs[walk->epoch % EPOCHS_PER_GROUP].set;
    const uint32_t handle = keytree_above(set, walk->after, &cursor);
    walk->after = handle != 0 ? handle : UINT32_MAX;
    const uint32_t next = handle != 0 ? keytree_next(set, &cursor) : 0;
    if (next != 0) {
        /* Most of a walk's time is waiting for memory. */
        __builtin_prefetch(entry_at(c->entries, next));
    }
    return handle;
}

void calendar_walk_end(struct calendar *c, struct store_walk *walk)
{
    if (walk->is_open) {
        ASSERT(c->walk_count > 0);
        c->walk_count--;
        *walk = (struct store_walk){.epoch = walk->epoch};
    }
}

size_t calendar_memory(const struct calendar *c)
{
    size_t memory = 0;
    for (size_t i = 0; i < c->page_count; i++) {
        for (uint32_t j = 0; j < EPOCHS_PER_GROUP; j++) {
            memory += c->pages[i]->epochs[j].set.memory;
        }
    }
    return memory;
}

/* ---- Check ---- */

static struct digest check_epoch(const struct calendar *c, uint64_t number,
                                 const struct epoch *epoch)
{
    struct digest digest = {0, 0};
    struct keytree_cursor cursor;
    keytree_check(&epoch->set);
    for (uint32_t h = keytree_above(&epoch->set, 0, &cursor); h != 0;
         h = keytree_next(&epoch->set, &cursor)) {
        const struct entry *e = entry_at(c->entries, h);
        ASSERT(e->key_len != 0 && epoch_of(e) == number);
        digest.count++;
        digest.sum += id_of(c, e);
    }
    ASSERT(digest.count == epoch->digest.count && digest.sum == epoch->digest.sum);
    ledger_check(&epoch->ledger);
    return digest;
}

void calendar_check(const struct calendar *c)
{
    uint64_t count = 0;
    for (size_t i = 0; i < c->page_count; i++) {
        const struct calendar_page *page = c->pages[i];
        ASSERT(i == 0 || c->pages[i - 1]->group < page->group);
        struct digest digest = {0, 0};
        for (uint32_t j = 0; j < EPOCHS_PER_GROUP; j++) {
            const uint64_t number = page->group * EPOCHS_PER_GROUP + j;
            const struct digest part = check_epoch(c, number, &page->epochs[j]);
            digest.sum += part.sum;
            digest.count += part.count;
        }
        ASSERT(digest.count == page->digest.count && digest.sum == page->digest.sum);
        ledger_check(&page->ledger);
        count += digest.count;
    }
    ASSERT(count == c->count && c->walk_count <= STORE_WALKS_MAX);
}
