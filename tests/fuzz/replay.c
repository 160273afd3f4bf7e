/*
 * replay: runs a fuzz target without libFuzzer.
 *
 * Every file of the given folders is fed to LLVMFuzzerTestOneInput() as it is, then cut short at
 * every length and with bits flipped by a generator whose seed is fixed, so that a failure repeats.
 * It measures no coverage and keeps nothing: finding new inputs is libFuzzer's work.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    INPUT_BYTES_MAX = 1 << 20,
    CUTS_MAX = 2048, /* lengths tried per file; a longer file is cut at evenly spaced ones */
    MUTATIONS = 512, /* mutated copies per file */
    FLIPS_MAX = 8,   /* bits flipped in one copy */
    PATH_BYTES = 4096,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* xorshift64: any sequence will do, as long as it is the same one every time. */
static uint64_t random_next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* The target sees a heap block of exactly the input's size, so that the sanitizer catches a read of
 * one byte too many. */
static void feed(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);
    if (!copy) {
        abort();
    }
    if (size > 0) {
        memcpy(copy, data, size);
    }
    (void)LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static void feed_variants(uint8_t *data, size_t size)
{
    size_t step = size / CUTS_MAX + 1;
    for (size_t len = 0; len <= size; len += step) {
        feed(data, len);
    }
    feed(data, size);
    uint64_t state = 0x9e3779b97f4a7c15U ^ size;
    for (int i = 0; i < MUTATIONS && size > 0; i++) {
        size_t places[FLIPS_MAX];
        uint8_t masks[FLIPS_MAX];
        size_t count = random_next(&state) % FLIPS_MAX + 1;
        for (size_t j = 0; j < count; j++) {
            places[j] = random_next(&state) % size;
            masks[j] = (uint8_t)(1U << (random_next(&state) % 8));
            data[places[j]] ^= masks[j];
        }
        feed(data, size);
        for (size_t j = count; j > 0; j--) {
            data[places[j - 1]] ^= masks[j - 1];
        }
    }
}

static int replay_file(const char *path, uint8_t *data)
{
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        return -1;
    }
    size_t size = fread(data, 1, INPUT_BYTES_MAX, file);
    int failed = ferror(file);
    (void)fclose(file);
    if (failed) {
        (void)fprintf(stderr, "%s: cannot be read\n", path);
        return -1;
    }
    /* Printed first, so that the cause stands before a crash. */
    (void)printf("%s (%zu bytes)\n", path, size);
    (void)fflush(stdout);
    feed_variants(data, size);
    return 0;
}

/* Returns how many files were replayed, -1 when one could not be read. */
static int replay_folder(const char *folder, uint8_t *data)
{
    struct dirent **entries = NULL;
    int count = scandir(folder, &entries, NULL, alphasort);
    if (count < 0) {
        perror(folder);
        return -1;
    }
    int replayed = 0;
    for (int i = 0; i < count; i++) {
        char path[PATH_BYTES];
        int len = snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
        if (entries[i]->d_name[0] != '.' && replayed >= 0) {
            int rc = len < PATH_BYTES ? replay_file(path, data) : -1;
            replayed = rc == 0 ? replayed + 1 : -1;
        }
        free(entries[i]);
    }
    free(entries);
    return replayed;
}

int main(int argc, char **argv)
{
    uint8_t *data = malloc(INPUT_BYTES_MAX);
    if (!data || argc < 2) {
        (void)fprintf(stderr, "usage: %s CORPUS_FOLDER...\n", argv[0]);
        free(data);
        return 2;
    }
    int status = 0;
    for (int i = 1; i < argc && status == 0; i++) {
        int replayed = replay_folder(argv[i], data);
        if (replayed <= 0) {
            (void)fprintf(stderr, "%s: no corpus could be replayed\n", argv[i]);
            status = 1;
        } else {
            (void)printf("%s: %d files replayed\n", argv[i], replayed);
        }
    }
    free(data);
    return status;
}
