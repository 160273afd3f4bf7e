#include "core/base/iblt.h"

#include "core/base/mem.h"
#include "core/base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Two sets that share `common` ids and have some of their own, as tables. */
struct sets {
    struct iblt theirs, ours;
    struct iblt_decoder decoder;
    uint64_t *ids; /* common, then theirs, then ours */
    uint32_t *places;
    uint32_t common, their_count, our_count;
};

static void make(struct sets *s, uint32_t common, uint32_t theirs, uint32_t ours, uint64_t seed)
{
    struct rng rng;
    const uint32_t all = common + theirs + ours;
    rng_init(&rng, seed);
    *s = (struct sets){.common = common, .their_count = theirs, .our_count = ours};
    s->ids = mem_new(all + 1, sizeof(*s->ids));
    s->places = mem_new(2 * (size_t)all + 1, sizeof(*s->places));
    for (uint32_t i = 0; i < all; i++) {
        s->ids[i] = rng_next(&rng);
    }
    iblt_init(&s->theirs);
    iblt_init(&s->ours);
    iblt_decoder_init(&s->decoder);
}

static void destroy(struct sets *s)
{
    iblt_fini(&s->theirs);
    iblt_fini(&s->ours);
    iblt_decoder_fini(&s->decoder);
    free(s->ids);
    free(s->places);
}

/* Both sides' cells up to `count`, given to the decoder. */
static void extend(struct sets *s, uint32_t count)
{
    const uint32_t first = s->theirs.count;
    const uint32_t all = s->common + s->their_count + s->our_count;
    iblt_extend(&s->theirs, count);
    iblt_extend(&s->ours, count);
    for (uint32_t i = 0; i < all; i++) {
        const bool is_theirs = i < s->common + s->their_count;
        const bool is_ours = i < s->common || !is_theirs;
        if (is_theirs) {
            s->places[2 * (size_t)i] = iblt_add(&s->theirs, s->ids[i], s->places[2 * (size_t)i], 1);
        }
        if (is_ours) {
            s->places[2 * (size_t)i + 1] =
                iblt_add(&s->ours, s->ids[i], s->places[2 * (size_t)i + 1], 1);
        }
    }
    iblt_decoder_extend(&s->decoder, s->theirs.cells + first, s->ours.cells + first, count - first);
}

/* Adds cells, a few percent at a time, until the difference is known. Returns how many it took. */
static uint32_t decode(struct sets *s)
{
    uint32_t count = 0;
    enum rc rc = RC_NOT_FOUND;
    while (rc == RC_NOT_FOUND) {
        count += 1 + count / 20;
        assert_true(count <= IBLT_CELLS_MAX);
        extend(s, count);
        rc = iblt_decoder_peel(&s->decoder, SIZE_MAX);
    }
    assert_int_equal(rc, RC_OK);
    return count;
}

static void assert_found(const struct sets *s)
{
    uint64_t theirs = 0, ours = 0;
    for (uint32_t i = 0; i < s->their_count; i++) {
        theirs ^= s->ids[s->common + i];
    }
    for (uint32_t i = 0; i < s->our_count; i++) {
        ours ^= s->ids[s->common + s->their_count + i];
    }
    uint32_t their_count = 0, our_count = 0;
    for (size_t i = 0; i < s->decoder.item_count; i++) {
        const struct iblt_item *item = &s->decoder.items[i];
        *(item->sign == 1 ? &theirs : &ours) ^= item->id;
        their_count += item->sign == 1;
        our_count += item->sign == -1;
    }
    assert_int_equal(their_count, s->their_count);
    assert_int_equal(our_count, s->our_count);
    assert_true(theirs == 0 && ours == 0);
}

static void equal_sets_take_one_cell(void **state)
{
    (void)state;
    struct sets s;
    make(&s, 5000, 0, 0, 1);
    assert_int_equal(decode(&s), 1);
    assert_int_equal(s.decoder.item_count, 0);
    destroy(&s);
}

static void one_difference_among_many_takes_few_cells(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct sets s;
        make(&s, 2000, seed % 2, 1 - (uint32_t)(seed % 2), seed);
        assert_true(decode(&s) <= 3);
        assert_found(&s);
        destroy(&s);
    }
}

/* Figure 5 of the paper: 1.35 for many differences, at most about 1.7 for a few dozen. */
static void cells_per_difference_are_as_few_as_the_paper_says(void **state)
{
    (void)state;
    const uint32_t sizes[] = {30, 300, 3000};
    const double most[] = {2.0, 1.6, 1.45};
    for (int i = 0; i < 3; i++) {
        double sum = 0;
        for (uint64_t seed = 1; seed <= 10; seed++) {
            struct sets s;
            make(&s, 3000, sizes[i] / 2, sizes[i] / 2, seed);
            sum += decode(&s) / (double)sizes[i];
            assert_found(&s);
            destroy(&s);
        }
        assert_true(sum / 10 < most[i]);
    }
}

static void cells_do_not_depend_on_how_often_the_table_grew(void **state)
{
    (void)state;
    struct sets a, b;
    make(&a, 500, 3, 4, 9);
    make(&b, 500, 3, 4, 9);
    extend(&a, 700);
    for (uint32_t count = 1; count <= 700; count++) {
        extend(&b, count);
    }
    assert_memory_equal(a.theirs.cells, b.theirs.cells, 700 * sizeof(struct iblt_cell));
    destroy(&a);
    destroy(&b);
}

static void an_id_is_in_cell_zero_and_ever_more_rarely_after(void **state)
{
    (void)state;
    struct sets s;
    enum { IDS = 20000, CELLS = 1000 };
    make(&s, IDS, 0, 0, 3);
    extend(&s, CELLS);
    assert_int_equal(s.ours.cells[0].count, IDS);
    for (uint32_t first = 1; first < CELLS; first += 111) {
        double got = 0, expected = 0;
        for (uint32_t i = first; i < first + 111 && i < CELLS; i++) {
            got += s.ours.cells[i].count;
            expected += (double)IDS * iblt_density(i);
        }
        assert_true(got > 0.95 * expected && got < 1.05 * expected);
    }
    destroy(&s);
}

static void a_known_id_maps_to_known_cells(void **state)
{
    (void)state;
    struct iblt t;
    uint64_t bits[4] = {0};
    iblt_init(&t);
    iblt_extend(&t, 256);
    (void)iblt_add(&t, UINT64_C(0x0123456789abcdef), 0, 1);
    for (uint32_t i = 0; i < 256; i++) {
        const struct iblt_cell *cell = &t.cells[i];
        const bool is_in = cell->count == 1;
        bits[i / 64] |= (uint64_t)is_in << (i % 64);
        assert_true(cell->id == (is_in ? UINT64_C(0x0123456789abcdef) : 0));
        assert_true(cell->check == (is_in ? t.cells[0].check : 0));
    }
    /* The wire relies on these values: nodes on all machines must agree on them. */
    assert_true(bits[0] == UINT64_C(0x41010017) && bits[1] == UINT64_C(0x400000) &&
                bits[2] == UINT64_C(0xa0000000) && bits[3] == UINT64_C(0x8000080000));
    assert_true(t.cells[0].check == UINT32_C(0x6e64069e));
    iblt_fini(&t);
}

static void the_estimate_from_few_cells_is_about_right(void **state)
{
    (void)state;
    const uint32_t sizes[] = {100, 1000, 10000};
    for (int i = 0; i < 3; i++) {
        double sum = 0;
        for (uint64_t seed = 1; seed <= 20; seed++) {
            struct sets s;
            make(&s, 1000, sizes[i] / 4, sizes[i] - sizes[i] / 4, seed);
            extend(&s, 64);
            (void)!iblt_decoder_peel(&s.decoder, SIZE_MAX);
            const double ratio = (double)iblt_decoder_estimate(&s.decoder) / sizes[i];
            assert_true(ratio > 0.4 && ratio < 2.0);
            sum += ratio;
            destroy(&s);
        }
        assert_true(sum / 20 > 0.85 && sum / 20 < 1.15);
    }
}

static void the_estimate_from_hardly_any_cells_is_what_they_gave(void **state)
{
    (void)state;
    struct sets s;
    make(&s, 1000, 1, 0, 3);
    extend(&s, 8);
    assert_true(iblt_decoder_estimate(&s.decoder) == 0);
    assert_int_equal(iblt_decoder_peel(&s.decoder, SIZE_MAX), RC_OK);
    assert_true(iblt_decoder_estimate(&s.decoder) == 1);
    destroy(&s);
}

static void peeling_in_slices_finds_the_same(void **state)
{
    (void)state;
    struct sets s;
    make(&s, 1000, 200, 100, 5);
    extend(&s, 600);
    enum rc rc = RC_AGAIN;
    int slices = 0;
    while (rc == RC_AGAIN) {
        rc = iblt_decoder_peel(&s.decoder, 7);
        slices++;
    }
    assert_int_equal(rc, RC_OK);
    assert_true(slices > 300 / 7);
    assert_found(&s);
    destroy(&s);
}

static void garbage_ends_in_an_error_or_a_wish_for_more(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 77);
    for (int round = 0; round < 200; round++) {
        struct iblt_decoder d;
        struct iblt_cell theirs[64], ours[64];
        iblt_decoder_init(&d);
        for (int i = 0; i < 64; i++) {
            /* Singles among them: a good check, in cells where the id does not belong. */
            struct iblt one;
            iblt_init(&one);
            iblt_extend(&one, 1);
            (void)iblt_add(&one, rng_next(&rng) % 16, 0, 1);
            theirs[i] = one.cells[0];
            theirs[i].count = round % 3 == 0 ? INT32_MIN : (int32_t)(rng_next(&rng) % 3) - 1;
            ours[i] = (struct iblt_cell){.count = (int32_t)(rng_next(&rng) % 2)};
            iblt_fini(&one);
        }
        iblt_decoder_extend(&d, theirs, ours, 64);
        const enum rc rc = iblt_decoder_peel(&d, 100000);
        assert_true(rc == RC_MALFORMED || rc == RC_NOT_FOUND || rc == RC_OK);
        assert_true(d.item_count <= 64);
        iblt_decoder_fini(&d);
    }
}

/* A place says by its number of steps where the generator goes on. */
static void a_way_goes_on_at_each_of_its_steps(void **state)
{
    (void)state;
    struct iblt t;
    iblt_init(&t);
    for (int i = 0; i < IBLT_STEPS_MAX; i++) {
        assert_true(t.powers[i + 1] == t.powers[i] * t.powers[0]);
    }
    iblt_fini(&t);
}

/* Of as many ids as take each way of finding the next cell. The wire relies on it, as above. */
static void many_known_ids_map_to_known_cells(void **state)
{
    (void)state;
    enum { IDS = 20000, CELLS = 4096 };
    struct iblt t;
    uint64_t id = 1, sum = 0;
    iblt_init(&t);
    iblt_extend(&t, CELLS);
    for (int i = 0; i < IDS; i++) {
        id = id * UINT64_C(6364136223846793005) + 1;
        (void)iblt_add(&t, id, 0, 1);
    }
    for (uint64_t i = 0; i < CELLS; i++) {
        const struct iblt_cell *cell = &t.cells[i];
        sum = sum * UINT64_C(31) + (cell->id ^ cell->check) + (uint64_t)cell->count;
    }
    assert_true(sum == UINT64_C(0x0aacc46d72945e8a));
    iblt_fini(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_sets_take_one_cell),
        cmocka_unit_test(one_difference_among_many_takes_few_cells),
        cmocka_unit_test(cells_per_difference_are_as_few_as_the_paper_says),
        cmocka_unit_test(cells_do_not_depend_on_how_often_the_table_grew),
        cmocka_unit_test(an_id_is_in_cell_zero_and_ever_more_rarely_after),
        cmocka_unit_test(a_known_id_maps_to_known_cells),
        cmocka_unit_test(the_estimate_from_few_cells_is_about_right),
        cmocka_unit_test(the_estimate_from_hardly_any_cells_is_what_they_gave),
        cmocka_unit_test(peeling_in_slices_finds_the_same),
        cmocka_unit_test(garbage_ends_in_an_error_or_a_wish_for_more),
        cmocka_unit_test(a_way_goes_on_at_each_of_its_steps),
        cmocka_unit_test(many_known_ids_map_to_known_cells),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
