"""Seeded, versioned generators of chart scripts and pages: the CPU profile's training pictures and in-domain tests.

A generator is a pure function of its seed. Seed ranges keep the sets apart: 0 to 999,999 is for pre-training, from
1,000,000 for training pictures, from 2,000,000 for tests.
"""
