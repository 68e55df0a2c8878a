//~ docs/microcontroller.md: let mut replay = Replay::<f32, FEATURES, 32>::new(Keep::Balanced);
// Not compiled: a sketch, which leaves out the arguments of `train_one` that the first block of the document has.
