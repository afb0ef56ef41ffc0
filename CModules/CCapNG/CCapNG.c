#include "CCapNG.h"
