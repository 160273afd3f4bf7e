#include "core/base/uuid.h"

#include "core/base/digits.h"

#include <string.h>

int uuid_compare(const struct uuid *a, const struct uuid *b)
{
    return memcmp(a->bytes, b->bytes, UUID_BYTES);
}

bool uuid_equal(const struct uuid *a, const struct uuid *b)
{
    return uuid_compare(a, b) == 0;
}

bool uuid_is_nil(const struct uuid *uuid)
{
    static const struct uuid nil = {{0}};
    return uuid_equal(uuid, &nil);
}

const char *uuid_format(const struct uuid *uuid, char ret_text[static UUID_TEXT_SIZE])
{
    digits_hex(uuid->bytes, UUID_BYTES, ret_text);
    ret_text[UUID_TEXT_SIZE - 1] = '\0';
    return ret_text;
}
