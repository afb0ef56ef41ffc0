#include "CNUMA.h"
