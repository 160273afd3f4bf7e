#include <stdio.h>

int main(void)
{
    (void)puts("repram " REPRAM_VERSION);
    return 0;
}
