#include <malloc.h>

#include "CTwins.h"

const char *twins_compiler(void) { return __VERSION__ " " "at -O3"; }

size_t twins_allocated(void) {
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}
