/* A stream of server-sent events: any bytes, whole and one at a time. */
#include "net/out/event_stream.h"

#include "core/base/assert.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct sum {
    size_t events, bytes;
};

static void on_event(void *arg, const struct stream_event *event)
{
    struct sum *sum = arg;
    ASSERT(event->name[0] != '\0' && strlen(event->name) < EVENT_STREAM_NAME_SIZE);
    ASSERT(event->data_len <= EVENT_STREAM_DATA_MAX && event->data[event->data_len] == '\0');
    sum->events++;
    sum->bytes += event->data_len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sum whole = {0};
    struct sum cut = {0};
    struct event_stream s;
    event_stream_init(&s, on_event, &whole);
    const enum rc rc = event_stream_feed(&s, data, size);
    ASSERT(strlen(s.last_id) < EVENT_STREAM_ID_SIZE);
    event_stream_fini(&s);
    event_stream_init(&s, on_event, &cut);
    enum rc cut_rc = RC_OK;
    for (size_t i = 0; i < size && cut_rc == RC_OK; i++) {
        cut_rc = event_stream_feed(&s, data + i, 1);
    }
    event_stream_fini(&s);
    ASSERT(rc == cut_rc && whole.events == cut.events && whole.bytes == cut.bytes);
    return 0;
}
