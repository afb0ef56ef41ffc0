#include "CTraffic.h"
