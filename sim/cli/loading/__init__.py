"""The parts of `datagen load`: what is asked for, the trial, its words, its page, and two of them compared."""
