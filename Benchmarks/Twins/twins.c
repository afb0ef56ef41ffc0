#include "CTwins.h"

const char *twins_compiler(void) { return __VERSION__ " " "at -O3"; }
