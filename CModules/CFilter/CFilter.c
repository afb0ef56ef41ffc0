#include "CFilter.h"
