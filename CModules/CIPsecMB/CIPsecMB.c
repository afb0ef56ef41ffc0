#include "CIPsecMB.h"

#include <pthread.h>

IMB_MGR *apus_mb_manager;
static const char *obstacle;

// Its self-test has run when init_mb_mgr_auto comes back, of which a feature says whether it was passed.
static void start(void) {
    IMB_MGR *manager = alloc_mb_mgr(0);
    if (manager == NULL) {
        obstacle = "there is no memory for it";
        return;
    }
    init_mb_mgr_auto(manager, NULL);
    const uint64_t processor = IMB_FEATURE_SSE4_2 | IMB_FEATURE_AESNI | IMB_FEATURE_PCLMULQDQ;
    int error = imb_get_errno(manager);
    if (error == IMB_ERR_SELFTEST
        || ((manager->features & IMB_FEATURE_SELF_TEST) && !(manager->features & IMB_FEATURE_SELF_TEST_PASS)))
        obstacle = "it has not passed its self-test";
    else if (error != 0) obstacle = imb_get_strerror(error);
    else if ((manager->features & processor) != processor || (manager->features & IMB_FEATURE_AESNI_EMU))
        obstacle = "the processor lacks SSE4.2, AES-NI or PCLMULQDQ";
    if (obstacle == NULL) apus_mb_manager = manager;
    else free_mb_mgr(manager);
}

const char *apus_mb_obstacle(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, start);
    return obstacle;
}

const char *apus_mb_version(void) { return imb_get_version_str(); }

void apus_mb_refuse(void *text, size_t length) {
    memset(text, 0, length);
    // So that it is done, whatever becomes of the text.
    __asm__ volatile("" : : "r"(text) : "memory");
}
