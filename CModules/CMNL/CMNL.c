#include "CMNL.h"
