//! The checker's own trial: good histories pass, and each way of breaking a promise is found, by its name, and alone.

mod broken;
mod format;
mod random;
mod recorded;
mod script;
