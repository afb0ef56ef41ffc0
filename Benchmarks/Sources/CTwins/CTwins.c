#include "CTwins.h"
