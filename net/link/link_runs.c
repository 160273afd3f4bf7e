#include "net/link/link_runs.h"

#include <event2/buffer.h>

static void release_run(const void *data, size_t len, void *blob)
{
    (void)data;
    (void)len;
    blob_release(blob);
}

static void add_run(struct link_runs *runs, const uint8_t *data, size_t len, struct blob *blob)
{
    if (len > 0) {
        /* The kernel's interface has no const. */
        runs->run[runs->count].iov_base = (void *)(uintptr_t)data;
        runs->run[runs->count].iov_len = len;
        runs->blob[runs->count++] = blob;
    }
}

void link_runs_list(struct link_runs *runs, const uint8_t *data, size_t len,
                    const struct blobrefs *refs)
{
    size_t done = 0;
    runs->count = 0;
    for (size_t i = 0; refs != NULL && i < refs->count; i++) {
        const struct blobref *ref = &refs->refs[i];
        add_run(runs, data + done, ref->at - done, NULL);
        add_run(runs, ref->data, ref->len, ref->blob);
        done = ref->at;
    }
    add_run(runs, data + done, len - done, NULL);
}

enum rc link_runs_queue(const struct link_runs *runs, size_t taken, struct evbuffer *out)
{
    for (size_t i = 0; i < runs->count; i++) {
        const size_t gone = taken < runs->run[i].iov_len ? taken : runs->run[i].iov_len;
        const uint8_t *data = (const uint8_t *)runs->run[i].iov_base + gone;
        const size_t len = runs->run[i].iov_len - gone;
        struct blob *blob = runs->blob[i];
        taken -= gone;
        if (len == 0) {
            continue;
        }
        if (blob == NULL) {
            if (evbuffer_add(out, data, len) != 0) {
                return RC_NO_MEMORY;
            }
        } else if (evbuffer_add_reference(out, data, len, release_run, blob_hold(blob)) != 0) {
            blob_release(blob);
            return RC_NO_MEMORY;
        }
    }
    return RC_OK;
}
