import ApusCrypto
