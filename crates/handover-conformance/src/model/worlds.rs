//! The worlds that the answers so far allow. Time is no part of the model: a delay or lease that ends soon has ended before
//! a step or has not, and only the answers tell. Each possibility is a world, and a step removes those its answer contradicts.

use super::contract::{Model, Told};
use super::step::{Answer, Step};

#[derive(Debug, Clone)]
pub(crate) struct Worlds(Vec<Model>);

impl Worlds {
    pub(crate) fn new(model: Model) -> Self {
        Self(vec![model])
    }

    /// One of them: all agree but for what is due soon.
    pub(crate) fn one(&self) -> &Model {
        &self.0[0]
    }

    /// How many moments are open.
    pub(crate) fn soon(&self) -> usize {
        self.0.iter().map(|world| world.soon().len()).max().unwrap_or_default()
    }

    /// Takes note of an answer.
    ///
    /// # Errors
    /// What the contract says instead, where no world allows it.
    pub(crate) fn hear(&mut self, step: &Step, answer: &Answer) -> Result<(), String> {
        self.narrow(|world| world.judge(step, answer))
    }

    /// Takes note of what a receive that was waiting got.
    pub(crate) fn hear_receiver(&mut self, answer: &Answer) -> Result<(), String> {
        self.narrow(|world| world.judge_receiver(answer))
    }

    fn narrow(&mut self, hear: impl Fn(&mut Model) -> Result<(), String>) -> Result<(), String> {
        let (mut kept, mut why): (Vec<Model>, _) = (Vec::new(), None);
        for world in &self.0 {
            let soon = world.soon();
            for facts in 0..1_u32 << soon.len() {
                let mut world = world.clone();
                for (index, label) in soon.iter().enumerate() {
                    if facts >> index & 1 == 1 {
                        world.learn(*label);
                    }
                }
                match hear(&mut world) {
                    Ok(()) if !kept.contains(&world) => kept.push(world),
                    Ok(()) => {}
                    Err(error) => _ = why.get_or_insert(error),
                }
            }
        }
        if kept.is_empty() {
            return Err(why.unwrap_or_default());
        }
        self.0 = kept;
        Ok(())
    }

    /// The time has passed: what was due soon is due.
    pub(crate) fn let_pass(&mut self) {
        for world in &mut self.0 {
            for label in world.soon() {
                world.learn(label);
            }
        }
        let mut kept: Vec<Model> = Vec::new();
        for world in self.0.drain(..) {
            if !kept.contains(&world) {
                kept.push(world);
            }
        }
        self.0 = kept;
    }

    /// The waiting sends that the last step must have answered.
    pub(crate) fn take_told(&mut self) -> Vec<Told> {
        let mut told = Vec::new();
        for world in &mut self.0 {
            told = std::mem::take(&mut world.told);
        }
        told
    }

    /// True where the receive that waits must be answered now.
    pub(crate) fn receiver_is_due(&self) -> bool {
        let world = self.one();
        world
            .receiver
            .as_ref()
            .is_some_and(|(queues, _)| queues.iter().any(|queue| !world.next(*queue).is_empty()))
    }
}
