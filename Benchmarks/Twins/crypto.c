// The packets of Sources/bench/Crypto.swift by bare calls of the libraries: nothing between the loop and them.
#include <openssl/evp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__) && __has_include(<intel-ipsec-mb.h>)
#include <intel-ipsec-mb.h>
#define HAS_IPSEC_MB 1
#else
#define HAS_IPSEC_MB 0
#endif

#include "CTwins.h"

#define ALWAYS static inline __attribute__((always_inline))

struct aead {
#if HAS_IPSEC_MB
    struct gcm_key_data gcm_key __attribute__((aligned(64)));
    struct gcm_context_data gcm __attribute__((aligned(64)));
    struct chacha20_poly1305_context_data chacha20;
    IMB_MGR *manager;
#endif
    EVP_CIPHER_CTX *context;
    int library, algorithm;
    uint8_t key[32], vector[12];
};

struct aead *aead_make(int library, int algorithm, const void *key, const void *vector) {
    struct aead *aead = aligned_alloc(64, (sizeof *aead + 63) / 64 * 64);
    if (aead == NULL) abort();
    memset(aead, 0, sizeof *aead);
    aead->library = library;
    aead->algorithm = algorithm;
    memcpy(aead->key, key, algorithm == 0 ? 16 : 32);
    memcpy(aead->vector, vector, 12);
    if (library == 0) {
        EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, algorithm == 0 ? "AES-128-GCM" : "ChaCha20-Poly1305", NULL);
        aead->context = EVP_CIPHER_CTX_new();
        if (EVP_EncryptInit_ex2(aead->context, cipher, aead->key, NULL, NULL) != 1) abort();
        EVP_CIPHER_free(cipher);
        return aead;
    }
#if HAS_IPSEC_MB
    aead->manager = alloc_mb_mgr(0);
    if (aead->manager == NULL) abort();
    init_mb_mgr_auto(aead->manager, NULL);
    if (imb_get_errno(aead->manager) == 0) {
        IMB_AES128_GCM_PRE(aead->manager, aead->key, &aead->gcm_key);
        return aead;
    }
    free_mb_mgr(aead->manager);
#endif
    free(aead);
    return NULL;
}

void aead_free(struct aead *aead) {
    EVP_CIPHER_CTX_free(aead->context);
#if HAS_IPSEC_MB
    if (aead->manager != NULL) free_mb_mgr(aead->manager);
#endif
    free(aead);
}

ALWAYS void make_nonce(uint8_t nonce[12], const uint8_t vector[12], uint64_t number) {
    uint32_t words[3];
    memcpy(words, vector, 12);
    words[1] ^= __builtin_bswap32((uint32_t)(number >> 32));
    words[2] ^= __builtin_bswap32((uint32_t)number);
    memcpy(nonce, words, 12);
}

ALWAYS _Bool seal_openssl(
    struct aead *aead, const uint8_t *key, const uint8_t *nonce, uint8_t *packet, size_t header, size_t size
) {
    EVP_CIPHER_CTX *context = aead->context;
    int length = (int)(size - header - 16), written;
    return EVP_EncryptInit_ex2(context, NULL, key, nonce, NULL) == 1
        && EVP_EncryptUpdate(context, NULL, &written, packet, (int)header) == 1
        && EVP_EncryptUpdate(context, packet + header, &written, packet + header, length) == 1
        && EVP_EncryptFinal_ex(context, packet + size - 16, &written) == 1
        && EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, 16, packet + size - 16) == 1;
}

ALWAYS _Bool open_openssl(struct aead *aead, const uint8_t *nonce, uint8_t *packet, size_t header, size_t size) {
    EVP_CIPHER_CTX *context = aead->context;
    int length = (int)(size - header - 16), written;
    uint8_t rest[16];
    return EVP_DecryptInit_ex2(context, NULL, NULL, nonce, NULL) == 1
        && EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, 16, packet + size - 16) == 1
        && EVP_DecryptUpdate(context, NULL, &written, packet, (int)header) == 1
        && EVP_DecryptUpdate(context, packet + header, &written, packet + header, length) == 1
        && EVP_DecryptFinal_ex(context, rest, &written) == 1;
}

#if HAS_IPSEC_MB
ALWAYS void seal_gcm(
    struct aead *aead, const uint8_t *key, const uint8_t *nonce, uint8_t *packet, size_t header, size_t size
) {
    uint8_t *text = packet + header;
    if (key != NULL) IMB_AES128_GCM_PRE(aead->manager, key, &aead->gcm_key);
    IMB_AES128_GCM_ENC(
        aead->manager, &aead->gcm_key, &aead->gcm, text, text, size - header - 16, nonce, packet, header,
        packet + size - 16, 16);
}

ALWAYS void seal_chacha20(
    struct aead *aead, const uint8_t *key, const uint8_t *nonce, uint8_t *packet, size_t header, size_t size
) {
    uint8_t *text = packet + header;
    IMB_CHACHA20_POLY1305_INIT(aead->manager, key, &aead->chacha20, nonce, packet, header);
    IMB_CHACHA20_POLY1305_ENC_UPDATE(aead->manager, key, &aead->chacha20, text, text, size - header - 16);
    IMB_CHACHA20_POLY1305_ENC_FINALIZE(aead->manager, &aead->chacha20, packet + size - 16, 16);
}

ALWAYS _Bool same(const uint8_t *a, const uint8_t *b) {
    uint64_t x[2], y[2];
    memcpy(x, a, 16);
    memcpy(y, b, 16);
    return ((x[0] ^ y[0]) | (x[1] ^ y[1])) == 0;
}

ALWAYS _Bool open_gcm(struct aead *aead, const uint8_t *nonce, uint8_t *packet, size_t header, size_t size) {
    uint8_t *text = packet + header, tag[16];
    IMB_AES128_GCM_DEC(
        aead->manager, &aead->gcm_key, &aead->gcm, text, text, size - header - 16, nonce, packet, header, tag, 16);
    return same(tag, packet + size - 16);
}

ALWAYS _Bool open_chacha20(struct aead *aead, const uint8_t *nonce, uint8_t *packet, size_t header, size_t size) {
    uint8_t *text = packet + header, tag[16];
    IMB_CHACHA20_POLY1305_INIT(aead->manager, aead->key, &aead->chacha20, nonce, packet, header);
    IMB_CHACHA20_POLY1305_DEC_UPDATE(aead->manager, aead->key, &aead->chacha20, text, text, size - header - 16);
    IMB_CHACHA20_POLY1305_DEC_FINALIZE(aead->manager, &aead->chacha20, tag, 16);
    return same(tag, packet + size - 16);
}
#endif

_Bool aead_seal(struct aead *aead, int keyed, void *packet, size_t header, size_t size, size_t repeats) {
    const uint8_t *key = keyed ? aead->key : NULL;
    uint8_t nonce[12];
    if (aead->library == 0) {
        for (size_t i = 0; i < repeats; i++) {
            make_nonce(nonce, aead->vector, i);
            if (!seal_openssl(aead, key, nonce, packet, header, size)) return 0;
        }
        return 1;
    }
#if HAS_IPSEC_MB
    if (aead->algorithm == 0) {
        for (size_t i = 0; i < repeats; i++) {
            make_nonce(nonce, aead->vector, i);
            seal_gcm(aead, key, nonce, packet, header, size);
        }
    } else {
        for (size_t i = 0; i < repeats; i++) {
            make_nonce(nonce, aead->vector, i);
            seal_chacha20(aead, aead->key, nonce, packet, header, size);
        }
    }
#endif
    return 1;
}

_Bool aead_open(struct aead *aead, const void *sealed, void *packet, size_t header, size_t size, size_t repeats) {
    uint8_t nonce[12];
    for (size_t i = 0; i < repeats; i++) {
        memcpy(packet, sealed, size);
        make_nonce(nonce, aead->vector, 0);
        if (aead->library == 0) {
            if (!open_openssl(aead, nonce, packet, header, size)) return 0;
            continue;
        }
#if HAS_IPSEC_MB
        if (!(aead->algorithm == 0 ? open_gcm : open_chacha20)(aead, nonce, packet, header, size)) return 0;
#endif
    }
    return 1;
}
