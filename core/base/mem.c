#include "core/base/mem.h"

#include "core/base/assert.h"

#include <stdlib.h>
#include <string.h>

void *mem_new(size_t count, size_t size)
{
    void *ptr = calloc(count, size);
    ASSERT(ptr != NULL || count == 0 || size == 0);
    return ptr;
}

void *mem_resize(void *ptr, size_t count, size_t size)
{
    ASSERT(size != 0 && count <= (size_t)-1 / size);
    void *grown = realloc(ptr, count * size);
    ASSERT(grown != NULL || count == 0);
    return grown;
}

void mem_wipe(void *ptr, size_t len)
{
    if (len > 0) {
        explicit_bzero(ptr, len);
    }
}
