// Intel's multi-buffer library, 1.3, its direct interface (intel-ipsec-mb.h): one packet, one call.
//
// Its functions for one packet use nothing of the manager but the table of functions for this processor, so that one
// manager does for all threads.
#pragma once
#include <intel-ipsec-mb.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/// The manager for this processor, once `apus_mb_obstacle` has found none.
extern IMB_MGR *apus_mb_manager;

/// Why the library can't be used on this processor; NULL when it can. It is started, and looked at, once.
const char *apus_mb_obstacle(void);

/// The library's version.
const char *apus_mb_version(void);

/// What one thread keeps of a key: in memory of the caller's, aligned to 64 octets.
struct apus_mb_state {
    union {
        struct gcm_key_data gcm;
        /// Expanded for header protection.
        struct {
            uint8_t encryption[16 * 11], decryption[16 * 11];
        } aes;
        uint8_t chacha20[32];
    } key __attribute__((aligned(64)));
    union {
        struct gcm_context_data gcm;
        struct chacha20_poly1305_context_data chacha20;
    } work __attribute__((aligned(64)));
};
enum { apus_mb_state_size = sizeof(struct apus_mb_state) };

/// Whether tags of 16 octets are the same, in a time that does not tell where they differ.
static inline bool apus_mb_same(const uint8_t *a, const uint8_t *b) {
    uint64_t x[2], y[2];
    memcpy(x, a, 16);
    memcpy(y, b, 16);
    return ((x[0] ^ y[0]) | (x[1] ^ y[1])) == 0;
}

/// Leaves nothing of a text that is not authentic.
void apus_mb_refuse(void *text, size_t length);

static inline bool apus_mb_judge(const void *computed, const void *tag, void *text, size_t length) {
    bool authentic = apus_mb_same((const uint8_t *)computed, (const uint8_t *)tag);
    if (__builtin_expect(!authentic, 0)) apus_mb_refuse(text, length);
    return authentic;
}

// AES-GCM: IMB_AESnnn_GCM_PRE, _ENC, _DEC. `key` is NULL if it is the one before.
#define APUS_MB_GCM(bits)                                                                                              \
    static inline void apus_mb_gcm##bits##_key(void *state, const void *key) {                                         \
        IMB_AES##bits##_GCM_PRE(apus_mb_manager, key, &((struct apus_mb_state *)state)->key.gcm);                      \
    }                                                                                                                  \
    static inline void apus_mb_gcm##bits##_seal(                                                                       \
        void *state, const void *key, const void *nonce, const void *aad, size_t aad_length, void *text,               \
        size_t length, void *tag                                                                                       \
    ) {                                                                                                                \
        struct apus_mb_state *own = (struct apus_mb_state *)state;                                                     \
        if (key != NULL) apus_mb_gcm##bits##_key(state, key);                                                          \
        IMB_AES##bits##_GCM_ENC(                                                                                       \
            apus_mb_manager, &own->key.gcm, &own->work.gcm, (uint8_t *)text, (const uint8_t *)text, length,            \
            (const uint8_t *)nonce, (const uint8_t *)aad, aad_length, (uint8_t *)tag, 16);                             \
    }                                                                                                                  \
    static inline bool apus_mb_gcm##bits##_open(                                                                       \
        void *state, const void *key, const void *nonce, const void *aad, size_t aad_length, void *text,               \
        size_t length, const void *tag                                                                                 \
    ) {                                                                                                                \
        struct apus_mb_state *own = (struct apus_mb_state *)state;                                                     \
        uint8_t computed[16];                                                                                          \
        if (key != NULL) apus_mb_gcm##bits##_key(state, key);                                                          \
        IMB_AES##bits##_GCM_DEC(                                                                                       \
            apus_mb_manager, &own->key.gcm, &own->work.gcm, (uint8_t *)text, (const uint8_t *)text, length,            \
            (const uint8_t *)nonce, (const uint8_t *)aad, aad_length, computed, 16);                                   \
        return apus_mb_judge(computed, tag, text, length);                                                             \
    }
APUS_MB_GCM(128)
APUS_MB_GCM(256)
#undef APUS_MB_GCM

// ChaCha20-Poly1305: IMB_CHACHA20_POLY1305_INIT, _UPDATE, _FINALIZE. The library expands no key, so it is only kept.
static inline void apus_mb_chacha20_key(void *state, const void *key) {
    memcpy(((struct apus_mb_state *)state)->key.chacha20, key, 32);
}

static inline void apus_mb_chacha20_seal(
    void *state, const void *key, const void *nonce, const void *aad, size_t aad_length, void *text, size_t length,
    void *tag
) {
    struct apus_mb_state *own = (struct apus_mb_state *)state;
    if (key != NULL) apus_mb_chacha20_key(state, key);
    IMB_CHACHA20_POLY1305_INIT(
        apus_mb_manager, own->key.chacha20, &own->work.chacha20, (const uint8_t *)nonce, (const uint8_t *)aad,
        aad_length);
    IMB_CHACHA20_POLY1305_ENC_UPDATE(
        apus_mb_manager, own->key.chacha20, &own->work.chacha20, (uint8_t *)text, (const uint8_t *)text, length);
    IMB_CHACHA20_POLY1305_ENC_FINALIZE(apus_mb_manager, &own->work.chacha20, (uint8_t *)tag, 16);
}

static inline bool apus_mb_chacha20_open(
    void *state, const void *key, const void *nonce, const void *aad, size_t aad_length, void *text, size_t length,
    const void *tag
) {
    struct apus_mb_state *own = (struct apus_mb_state *)state;
    uint8_t computed[16];
    if (key != NULL) apus_mb_chacha20_key(state, key);
    IMB_CHACHA20_POLY1305_INIT(
        apus_mb_manager, own->key.chacha20, &own->work.chacha20, (const uint8_t *)nonce, (const uint8_t *)aad,
        aad_length);
    IMB_CHACHA20_POLY1305_DEC_UPDATE(
        apus_mb_manager, own->key.chacha20, &own->work.chacha20, (uint8_t *)text, (const uint8_t *)text, length);
    IMB_CHACHA20_POLY1305_DEC_FINALIZE(apus_mb_manager, &own->work.chacha20, computed, 16);
    return apus_mb_judge(computed, tag, text, length);
}

/// Expands a key for `apus_mb_aes_block`: IMB_AES_KEYEXP_128.
static inline void apus_mb_aes_key(void *state, const void *key) {
    struct apus_mb_state *own = (struct apus_mb_state *)state;
    IMB_AES_KEYEXP_128(apus_mb_manager, key, own->key.aes.encryption, own->key.aes.decryption);
}

/// AES-128 of one block, as the key stream of CFB is that of its IV: IMB_AES128_CFB_ONE. The library has the like for no other key.
static inline void apus_mb_aes_block(void *state, const void *key, const void *block, void *mask) {
    static const uint8_t zeroes[16];
    if (key != NULL) apus_mb_aes_key(state, key);
    IMB_AES128_CFB_ONE(
        apus_mb_manager, mask, zeroes, block, ((struct apus_mb_state *)state)->key.aes.encryption, 16);
}
