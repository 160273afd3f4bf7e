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
    uint32_t head;
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

void calendar_add(struct calendar *c, uint32_t handle, uint64_t second)
{
    struct entry *e = entry_at(c->entries, handle);
    const uint64_t number = epoch_of(e);
    struct calendar_page *page = make_page(c, number / EPOCHS_PER_GROUP);
    struct epoch *epoch = &page->epochs[number % EPOCHS_PER_GROUP];
    e->prev = 0;
    e->next = epoch->head;
    if (epoch->head != 0) {
        entry_at(c->entries, epoch->head)->prev = handle;
    }
    epoch->head = handle;
    c->count++;
    book(c, page, epoch, second, (struct digest){id_of(c, e), 1});
    struct calendar_agenda *a = &c->agendas[number & 1];
    if (a->is_active && a->epoch == number) {
        agenda_add(&a->agenda, handle, entry_expiry_ms(e) % EPOCH_MS);
    }
}

/* A walk that stands on the entry moves on to the next one. */
static void move_on(struct calendar *c, uint32_t handle, uint32_t next)
{
    for (uint32_t i = 0; i < c->walk_count; i++) {
        if (c->walks[i]->next == handle) {
            c->walks[i]->next = next;
        }
    }
    for (int i = 0; i < 2; i++) {
        if (c->agendas[i].unlisted == handle) {
            c->agendas[i].unlisted = next;
        }
    }
}

void calendar_remove(struct calendar *c, uint32_t handle, uint64_t second)
{
    const struct entry *e = entry_at(c->entries, handle);
    const uint64_t number = epoch_of(e);
    struct calendar_page *page = find_page(c, number / EPOCHS_PER_GROUP);
    ASSERT(page != NULL);
    struct epoch *epoch = &page->epochs[number % EPOCHS_PER_GROUP];
    move_on(c, handle, e->next);
    if (e->prev != 0) {
        entry_at(c->entries, e->prev)->next = e->next;
    } else {
        ASSERT(epoch->head == handle);
        epoch->head = e->next;
    }
    if (e->next != 0) {
        entry_at(c->entries, e->next)->prev = e->prev;
    }
    c->count--;
    book(c, page, epoch, second, (struct digest){-id_of(c, e), (uint64_t)-1});
}

void calendar_set_guard(struct calendar *c, uint32_t handle, uint64_t guard_ms, uint64_t second)
{
    struct entry *e = entry_at(c->entries, handle);
    const uint64_t number = epoch_of(e);
    struct calendar_page *page = find_page(c, number / EPOCHS_PER_GROUP);
    ASSERT(page != NULL);
    const uint64_t before = id_of(c, e);
    entry_set_guard(e, guard_ms);
    book(c, page, &page->epochs[number % EPOCHS_PER_GROUP], second,
         (struct digest){id_of(c, e) - before, 0});
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
            if (page->epochs[j].head != 0) {
                *ret_epoch = base + j;
                return &page->epochs[j];
            }
        }
    }
    return NULL;
}

/* The epoch's agenda, its listing begun. */
static struct calendar_agenda *open_agenda(struct calendar *c, uint64_t number,
                                           const struct epoch *epoch)
{
    struct calendar_agenda *a = &c->agendas[number & 1];
    if (!a->is_active || a->epoch != number) {
        agenda_clear(&a->agenda);
        a->epoch = number;
        a->is_active = true;
        a->unlisted = epoch->head;
    }
    return a;
}

/* Notes entries in their epoch's agenda. Returns one that is due already, 0 when all are noted or
 * the budget ran out. */
static uint32_t list_entries(struct calendar *c, struct calendar_agenda *a, uint64_t now_ms,
                             size_t *budget)
{
    while (a->unlisted != 0 && *budget > 0) {
        const uint32_t handle = a->unlisted;
        const struct entry *e = entry_at(c->entries, handle);
        if (entry_expiry_ms(e) <= now_ms) {
            return handle; /* its removal moves `unlisted` on */
        }
        agenda_add(&a->agenda, handle, entry_expiry_ms(e) % EPOCH_MS);
        a->unlisted = e->next;
        (*budget)--;
    }
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

static uint32_t due_in_epoch(struct calendar *c, struct calendar_agenda *a, uint64_t now_ms,
                             size_t *budget)
{
    while (*budget > 0) {
        const uint32_t handle = agenda_take(&a->agenda, now_ms - a->epoch * EPOCH_MS);
        if (handle == 0) {
            const uint32_t listed = list_entries(c, a, now_ms, budget);
            return listed != 0 || *budget == 0 ? listed : due_in_slot(c, a, now_ms);
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
        return epoch->head;
    }
    if (number == now_epoch) {
        const uint32_t handle = due_in_epoch(c, open_agenda(c, number, epoch), now_ms, budget);
        if (handle != 0) {
            return handle;
        }
        epoch = first_used(c, number + 1, &number);
    }
    if (epoch != NULL && number == now_epoch + 1 &&
        number * EPOCH_MS - now_ms <= CALENDAR_LEAD_MS) {
        (void)list_entries(c, open_agenda(c, number, epoch), now_ms, budget);
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
    if (a->is_active && a->epoch == number && a->unlisted == 0) {
        deadline_ms = number * EPOCH_MS + due_after_ms(c, a);
        const uint64_t listed = number;
        epoch = first_used(c, number + 1, &number);
        a = &c->agendas[number & 1];
        const bool is_listed = a->is_active && a->epoch == number && a->unlisted == 0;
        if (epoch == NULL || number != listed + 1 || is_listed) {
            return deadline_ms;
        }
    }
    const uint64_t begin_ms = number * EPOCH_MS;
    const uint64_t list_ms = begin_ms > CALENDAR_LEAD_MS ? begin_ms - CALENDAR_LEAD_MS : 0;
    return min_u64(list_ms, deadline_ms);
}

void calendar_sweep(struct calendar *c)
{
    for (int i = 0; i < 2; i++) {
        struct calendar_agenda *a = &c->agendas[i];
        if (a->is_active && (a->epoch + 1) * EPOCH_S <= c->now_s && a->unlisted == 0) {
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
    const struct calendar_page *page = find_page(c, epoch / EPOCHS_PER_GROUP);
    const uint32_t head = page == NULL ? 0 : page->epochs[epoch % EPOCHS_PER_GROUP].head;
    *walk = (struct store_walk){.epoch = epoch, .next = head, .is_open = true};
    c->walks[c->walk_count++] = walk;
    return RC_OK;
}

uint32_t calendar_walk_next(struct calendar *c, struct store_walk *walk)
{
    ASSERT(walk->is_open);
    const uint32_t handle = walk->next;
    if (handle != 0) {
        walk->next = entry_at(c->entries, handle)->next;
    }
    if (walk->next != 0) {
        /* The lists are long and lie anywhere: half of a walk's time is waiting for memory. */
        __builtin_prefetch(entry_at(c->entries, walk->next));
    }
    return handle;
}

void calendar_walk_end(struct calendar *c, struct store_walk *walk)
{
    if (!walk->is_open) {
        return;
    }
    uint32_t at = 0;
    while (at < c->walk_count && c->walks[at] != walk) {
        at++;
    }
    ASSERT(at < c->walk_count);
    c->walks[at] = c->walks[--c->walk_count];
    *walk = (struct store_walk){.epoch = walk->epoch};
}

/* ---- Check ---- */

static struct digest check_epoch(const struct calendar *c, uint64_t number,
                                 const struct epoch *epoch)
{
    struct digest digest = {0, 0};
    uint32_t prev = 0;
    for (uint32_t h = epoch->head; h != 0; h = entry_at(c->entries, h)->next) {
        const struct entry *e = entry_at(c->entries, h);
        ASSERT(e->key_len != 0 && e->prev == prev && epoch_of(e) == number);
        ASSERT(digest.count < c->count);
        digest.count++;
        digest.sum += id_of(c, e);
        prev = h;
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
    ASSERT(count == c->count);
    for (uint32_t i = 0; i < c->walk_count; i++) {
        const struct store_walk *walk = c->walks[i];
        ASSERT(walk->is_open);
        ASSERT(walk->next == 0 || epoch_of(entry_at(c->entries, walk->next)) == walk->epoch);
    }
}
